"""Names that leave the process."""

import re

from tta_observe import semconv

NAMES = {
    name: value
    for name, value in vars(semconv).items()
    if name.isupper() and isinstance(value, str) and "." in value and name != "LLM_USAGE_SPAN"
}


def test_every_attribute_name_is_namespaced_and_unique():
    """
    Two constants with one value would make one attribute overwrite the other.
    """
    assert [] == [name for name, value in NAMES.items() if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", value)]
    assert len(NAMES) == len(set(NAMES.values()))


def test_well_known_types_are_identifiers():
    """
    They stand in span names.
    """
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in semconv.WELL_KNOWN_TYPES)
    assert set(semconv.OPENINFERENCE_KINDS) <= set(semconv.WELL_KNOWN_TYPES)
    assert set(semconv.WELL_KNOWN_TYPES) >= semconv.LLM_TYPES
