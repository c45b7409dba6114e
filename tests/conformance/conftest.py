"""Makes the modules of the table importable for its own tests; as a program it finds them by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
