"""Arguments are checked where they were written."""

import pytest

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
