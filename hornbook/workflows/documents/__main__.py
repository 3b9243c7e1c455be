"""`python -m hornbook.workflows.documents FOLDER` makes the vectors that an index lacks."""

import sys

from hornbook.workflows.documents.embedding import main

if __name__ == "__main__":
    main(sys.argv[1])
