"""A program under test: a run of the demo, or of the program that has a span of every kind, sent over OTLP."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tta_observe
from tta_observe.cli import demo, review
from tta_observe.cli.tally import Tally

SOURCES = Path(tta_observe.__file__).parent / "dashboards"


def run_demo():
    """Review some files; what the demo counted by itself."""
    tally = Tally()
    demo._review_all(demo.find_files(SOURCES), tally, for_ever=False)
    tokens = {}
    for (model, kind), count in tally.tokens.items():
        tokens.setdefault(model, {})[kind] = count
    executions = [[*key, count] for key, count in tally.executions.items()]
    return {"tokens": tokens, "llm_calls": tally.llm_calls, "executions": executions}


def run_program():
    """Answer a question; its numbers stand in the program."""
    from interop.program import answer_a_question

    answer_a_question()
    return {}


which, endpoint = sys.argv[1:]
prices = review.PRICES
if which == "program":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from interop.program import PRICES as prices  # noqa: N811 - the same thing of another program
telemetry = tta_observe.configure(
    service_name=which,
    endpoint=endpoint,
    prices=prices,
    resource_attributes={"openinference.project.name": which},
)
counted = {"demo": run_demo, "program": run_program}[which]()
print(json.dumps({**counted, "delivered": telemetry.shutdown(10)}))
