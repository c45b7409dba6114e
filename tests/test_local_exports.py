"""What became of the spans, process by process: nothing is counted for another one, nothing is lost in the sum."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from programs import run

from tta_observe.local.exports import account, exports, ledgers
from tta_observe.local.reader import StoreReader

PROGRAM = """
import os, tta_observe as o
o.configure(exporter="local")
for _ in range(3):
    with o.primitive("fetch"):
        pass
    o.flush()
if os.environ["ENDS"] == "killed":
    os._exit(0)
"""


LATER = 2**62
"""Nobody is alive any more."""


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["delivered", "queued", "in_flight", "encode", "queue_full"]), st.integers(0)))
def test_account_holds_every_outcome_once(outcomes):
    """
    A ledger that does not add up is none.
    """
    assert sum(outcomes.values()) == account("otlp", outcomes).recorded


def test_each_process_has_its_own_ledger_the_latest_first(tmp_path):
    """
    Several programs share a store; what one of them lost says nothing about the others.
    """
    for name, way in (("shop", "ended"), ("desk", "killed")):
        run(PROGRAM, tmp_path, OTEL_SERVICE_NAME=name, ENDS=way)
    with StoreReader(tmp_path / "store.db") as store:
        later, latest = ledgers(store, LATER, LATER, 5), ledgers(store, LATER, LATER, 1)
        alive = [row.alive for row in ledgers(store, LATER, 0, 5)]
        of_live_ones = exports(store, LATER, LATER)

    told = [(row.service_name, row.alive, row.ended, row.account.delivered) for row in later]
    assert [("desk", False, False, 3), ("shop", False, True, 3)] == told
    assert (["desk"], [True, False], ()) == ([row.service_name for row in latest], alive, of_live_ones)
