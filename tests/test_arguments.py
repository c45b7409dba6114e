"""Arguments are checked where they were written."""

import pytest
from hostile import KINDS, RAN

from tta_observe import _arguments
from tta_observe.errors import ConfigurationError


@pytest.mark.parametrize(
    ("value", "proposal"),
    [
        ("Tool", "tool"),
        ("my tool", "my_tool"),
        ("", "function"),
        ("1st", "function"),
        (3, "function"),
        ("é", "function"),
    ],
)
def test_identifier_proposes_one(value, proposal):
    """
    The message can be pasted.
    """
    with pytest.raises(ConfigurationError) as caught:
        _arguments.identifier("type", value)

    assert str(caught.value).endswith(f"Write type={proposal!r}.")


@pytest.mark.parametrize("value", ["", "  ", None, 3, b"x"])
def test_text_must_say_something(value):
    """
    A node without a name is a hole in the service map.
    """
    with pytest.raises(ConfigurationError, match=r"Write e\.g\. name="):
        _arguments.text("name", value)


def test_one_of_names_the_choice():
    """
    Three statuses, no fourth.
    """
    with pytest.raises(ConfigurationError, match="Write one of: success, error, cancelled"):
        _arguments.one_of("status", "failed", ("success", "error", "cancelled"))


def test_attributes_must_be_a_mapping():
    """
    A list of pairs would be lost in silence.
    """
    with pytest.raises(ConfigurationError, match="attributes="):
        _arguments.attributes([("a", 1)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "check",
    [
        lambda value: _arguments.identifier("type", value),
        lambda value: _arguments.text("name", value),
        lambda value: _arguments.one_of("status", value, ("success",)),
        _arguments.attributes,
        lambda value: _arguments.amount("budget_usd", value),
    ],
    ids=["identifier", "text", "one_of", "attributes", "amount"],
)
def test_anything_is_taken_or_refused_in_our_words(check, kind):
    """
    The message shows what came in, at a size that can be read, and without running code of it.
    """
    RAN.clear()
    complaint = ""
    try:
        check(KINDS[kind])
    except ConfigurationError as error:
        complaint = str(error)

    assert set(RAN) <= {"items"}  # how else would a mapping be read
    assert len(complaint) < 400
