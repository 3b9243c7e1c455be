"""`python -m hornbook.kernels` builds the kernels."""

from hornbook.kernels import build

if __name__ == "__main__":
    build()
