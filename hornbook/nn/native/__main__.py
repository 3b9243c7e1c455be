"""`python -m hornbook.nn.native` builds the kernels."""

from hornbook.nn.native import build

if __name__ == "__main__":
    build()
