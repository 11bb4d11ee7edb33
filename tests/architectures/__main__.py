"""Write docs/models.md: make docs."""

from tests.architectures.facts import write

if __name__ == "__main__":
    write()
