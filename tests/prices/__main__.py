"""
Compare the published prices with two price lists, and write what comes out.

Run as ``python tests/prices [litellm-….whl]``: with a wheel, the excerpt of LiteLLM's map is taken from it first; get
one with ``pip download --no-deps litellm``.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from prices import table

from tta_observe import _prices

_MAP = "litellm/model_prices_and_context_window_backup.json"


def main(arguments: list[str]) -> None:
    """Renew the excerpt from the wheel that is named, if one is, and the README."""
    if arguments:
        wheel = Path(arguments[0])
        with zipfile.ZipFile(wheel) as archive:
            listed = json.loads(archive.read(_MAP))
        made = table.excerpt(wheel.name.split("-")[1], listed)
        table.LITELLM.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    _prices.in_order(lambda: None)
    _prices.drain(60)
    table.README.write_text(table.markdown(), encoding="utf-8")


main(sys.argv[1:])
