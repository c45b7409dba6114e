import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe.local.records import PointRecord, SeriesRecord, from_json, to_json

_TEXT = st.text(st.characters(exclude_categories=[]))  # lone surrogates and NUL are what programs send, too
_SCALARS = st.one_of(_TEXT, st.booleans(), st.integers(), st.floats(allow_nan=False), st.binary())
_VALUES = st.one_of(_SCALARS, st.lists(_SCALARS).map(tuple))


@given(st.dictionaries(_TEXT.filter(lambda key: not key.startswith("$")), _VALUES))
def test_attributes_come_back_as_they_were(attributes):
    """
    What someone looks at in a trace is what their program said, to the last bit.
    """
    assert attributes == from_json(to_json(attributes))


def test_not_a_number_comes_back():
    """
    A model that answers NaN is worth seeing, and nan is equal to nothing, so no property covers it.
    """
    assert math.isnan(from_json(to_json({"score": math.nan}))["score"])


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", b"\xff", 2**80, "né"])
def test_what_is_written_is_plain_json(value):
    """
    SQLite, JavaScript and jq refuse NaN and broken UTF-8: anything in the file must be readable by them.
    """

    def refuse(constant):
        pytest.fail(f"{constant} is no JSON")

    text = to_json({"value": value})

    assert text.isascii()
    json.loads(text, parse_constant=refuse)


def test_mappings_inside_come_back():
    """
    Newer releases of OpenTelemetry allow attributes that are mappings.
    """
    assert {"a": {"b": (1, {"c": b"x"})}} == from_json(to_json({"a": {"b": [1, {"c": b"x"}]}}))


def test_object_is_refused():
    """
    Its repr may hold a secret: the caller decides, not the encoder.
    """
    with pytest.raises(TypeError):
        to_json({"client": object()})


def test_state_leaves_the_time_out():
    """
    A series that stands still is written once, not every second.
    """
    series = SeriesRecord("s", "i", "counter", "", 0, "", "{}")

    assert PointRecord(series, 1, 5.0).state == PointRecord(series, 2, 5.0).state
