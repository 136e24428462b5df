"""Run the command line as ``python -m lsbench``."""

from lsbench.cli import main

if __name__ == "__main__":
    main()
