"""``python -m twolevel``."""

import sys

from twolevel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
