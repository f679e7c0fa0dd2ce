"""Run the command line: ``python -m advin``."""

from advin.runners.cli import program

if __name__ == "__main__":
    program()
