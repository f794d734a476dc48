"""The benchmark of compiled derivatives: `python -m benchmarks`."""

import sys

from benchmarks.compiled import main

if __name__ == "__main__":
    sys.exit(main())
