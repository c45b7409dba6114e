"""Runs the test suite's checks of what other code asks of observed functions: ``introspected.py FILE``."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]).parent))
runpy.run_path(sys.argv[1], run_name="__main__")
