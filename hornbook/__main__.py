"""`python -m hornbook` is the console script."""

from hornbook.cli import main

if __name__ == "__main__":
    main()
