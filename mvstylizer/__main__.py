"""``python -m mvstylizer`` is the ``mvstylizer`` command."""

import sys

from mvstylizer.cli import main

if __name__ == "__main__":
    sys.exit(main())
