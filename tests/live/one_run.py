"""A program under test: one run of one workflow, in which one primitive fails; it then stays alive."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

import tta_observe

telemetry = tta_observe.configure(service_name="one_run")


@tta_observe.traced_primitive(type="tool", action="fetch")
def fetch():
    """Fail, as networks do."""
    raise ConnectionError("refused")


@tta_observe.workflow("digest")
def digest():
    """The one workflow."""
    fetch()


with suppress(ConnectionError):
    digest()
scraped = [lane.target for lane in telemetry.stats().exporters if lane.exporter == "prometheus"]
print(json.dumps({"scraped": scraped}), flush=True)
sys.stdin.read()
telemetry.shutdown()
