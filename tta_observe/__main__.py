"""``python -m tta_observe`` is ``tta-observe``."""

from __future__ import annotations

import sys

from tta_observe.cli import main

if __name__ == "__main__":
    sys.exit(main())
