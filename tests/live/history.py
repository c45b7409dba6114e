"""
Hours that went by before the test began: written into a Prometheus as blocks, on an exact grid.

First it is calm, then busy, then nothing moves, then nothing is there any more.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from live import script
from live.series import totals
from live.truth import NOTHING, Past

STEP_S = 15
_WINDOW_STEPS = 300 // STEP_S
_MINUTE = 60 // STEP_S
_CALM, _BUSY, _IDLE = 20 * _MINUTE, 25 * _MINUTE, 10 * _MINUTE

_SILENT_S = 2 * 3600
"""So long before the last sample there was nothing yet, and so long after it the last hour shows nothing any more."""


@dataclass(frozen=True)
class Moment:
    """A time to ask at, in seconds since the epoch, and what was true then."""

    at: float
    past: Past


def moments(ended):
    """The moments worth asking at, by name, of a history whose last sample is at *ended*."""
    calm, all_calm = (script.repeated(script.CALM, steps) for steps in (_WINDOW_STEPS, _CALM))
    busy, all_busy = (script.repeated(script.RECORDED, steps) for steps in (_WINDOW_STEPS, _BUSY))
    both, active = all_calm + all_busy, len(script.OPEN)
    return {
        "before": Moment(ended - _SILENT_S, NOTHING),
        "calm": Moment(ended - (_BUSY + _IDLE) * STEP_S, Past(script.CALM, calm, all_calm, active)),
        "busy": Moment(ended - _IDLE * STEP_S, Past(script.RECORDED, busy, both, active)),
        "idle": Moment(ended, Past(script.RECORDED, (), both, 0)),
        "gone": Moment(ended + _SILENT_S, NOTHING),
    }


def some_hours_ago():
    """When a history may have ended, in seconds since the epoch: long enough ago to lie in blocks alone."""
    return int(time.time()) // STEP_S * STEP_S - 6 * 3600


def written(promtool, ended, directory):
    """Write the history that ended at *ended* into the data of a server that is not running yet."""
    directory.mkdir(parents=True)
    text = directory / "history.txt"
    text.write_text(openmetrics(ended), encoding="utf-8")
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", text, directory / "data"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def openmetrics(ended):
    """The whole history as text: each series with a sample every step, from a zero on."""
    samples = {}
    for step, state in enumerate(_states()):
        at = ended - (_CALM + _BUSY + _IDLE - step) * STEP_S
        for series, value in state.items():
            samples.setdefault(series, []).append((at, value))
    return "".join(_family(name, samples) for name in sorted({name for name, _ in samples})) + "# EOF\n"


def _states():
    """What every series stands at after each step; new ones are there as zeros a step before they move."""
    calm, both = totals(script.CALM), totals(script.RECORDED)
    for step in range(_CALM + 1):
        zeros = dict.fromkeys(both, 0) if step == _CALM else {}
        yield {**zeros, **_scaled(calm, step), **totals((), script.OPEN)}
    for step in range(1, _BUSY + 1):
        yield {**_summed(_scaled(calm, _CALM), _scaled(both, step)), **totals((), script.OPEN)}
    for _ in range(_IDLE):
        idle = dict.fromkeys(totals((), script.OPEN), 0)
        yield {**_summed(_scaled(calm, _CALM), _scaled(both, _BUSY)), **idle}


def _scaled(values, number):
    return {series: value * number for series, value in values.items()}


def _summed(some, more):
    return {series: some.get(series, 0) + value for series, value in more.items()}


def _family(name, samples):
    lines = [
        f"{name}{{{_braced(labels)}}} {value} {at}"
        for (of, labels), series in sorted(samples.items(), key=str)
        if of == name
        for at, value in series
    ]
    return "\n".join([f"# TYPE {name} unknown", *lines, ""])


def _braced(labels):
    return ",".join(f'{key}="{_written(value)}"' for key, value in labels)


def _written(value):
    return value if isinstance(value, str) else "+Inf" if value == float("inf") else f"{value:g}"
