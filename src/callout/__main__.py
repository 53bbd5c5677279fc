"""`python -m callout` is the `callout` command."""

import sys

from callout.cli import main

if __name__ == "__main__":
    sys.exit(main(prog_name="callout"))
