"""`python -m hornbook` is the console script."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder: what lies there is data
    from hornbook.cli import main

    main()
