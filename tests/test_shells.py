"""Shells for plain functions and coroutines, and what all shapes have in common."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import DECORATORS, HOLDERS, SHAPES, Log, body, call, plans, scripts, undecorated

ARGUMENTS = {"args": (1, "two"), "kwargs": {"self": 3, "wrapped": 4, "instance": 5, "opened": 6, "error": 7}}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans(), script=scripts(), holder=st.sampled_from(sorted(HOLDERS)), decorator=st.sampled_from(sorted(DECORATORS)))
def test_observed_functions_do_what_bare_ones_do(telemetry, shape, plan, script, holder, decorator):
    """
    Nobody would decorate code that works if the decorator changed a value, an exception or a context.
    """
    bare, observed = Log(), Log()
    call(HOLDERS[holder](body(shape, plan, bare), undecorated), shape, bare, script=script, **ARGUMENTS)
    call(HOLDERS[holder](body(shape, plan, observed), DECORATORS[decorator]()), shape, observed, script=script, **ARGUMENTS)

    assert bare.seen == observed.seen
    most = 4 if holder == "decorated twice" else 2
    assert all(more <= frames + most for frames, more in zip(bare.frames, observed.frames, strict=True))
