"""Run the command line as ``python -m lsbench``."""

from lsbench.cli.main import main

if __name__ == "__main__":
    main()
