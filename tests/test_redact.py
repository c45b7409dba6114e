"""The redactor: secrets by name, at any depth, and the word of the user after ours."""

from __future__ import annotations

import pytest

from tta_observe._redact import Redactor

CANARY = "c4n4ry" * 4


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("password", CANARY, "[redacted]"),
        ("password", 1234, "[redacted]"),
        ("password", (CANARY, CANARY), "[redacted]"),
        ("password.required", True, True),
        ("llm.prompt_tokens", 1234, 1234),
        ("text", f"sk-{CANARY}", "[redacted]"),
        ("body", f"sk-{CANARY}".encode(), "[redacted]"),
        ("body", b"\xff\x00", b"\xff\x00"),
        ("argv", ("run", "--password", CANARY, "x"), ("run", "--password", "[redacted]", "x")),
        ("argv", (f"--api-key={CANARY}",), ("--api-key=[redacted]",)),
        ("m", {"a": ({"token": CANARY, "n": 1},)}, {"a": ({"token": "[redacted]", "n": 1},)}),
        ("json", f'{{"a": {{"api_key": "{CANARY}"}}}}', '{"a": {"api_key": "[redacted]"}}'),
    ],
)
def test_secrets_are_found_by_name_and_by_shape(key, value, expected):
    """
    Telemetry is read by more people than the secrets in it are for.
    """
    assert {key: expected} == Redactor().attributes({key: value})


def test_what_may_leave_is_not_copied():
    """
    Most spans hold no secret, and all of them pass here.
    """
    given = {"primitive.name": "fetch", "n": 1, "share": 0.5, "ok": True, "text": "größe" * 100}

    assert Redactor().attributes(given) is given
    assert Redactor().attributes(None) is None


def test_user_is_asked_after_our_own_search():
    """
    The function gets what would have been sent, not the secret.
    """
    seen = {}
    Redactor(lambda key, value: seen.update({key: value})).attributes({"a": f"sk-{CANARY}", "b": 1})

    assert {"a": "[redacted]", "b": 1} == seen


def test_what_the_user_returns_is_cleaned_as_well():
    """
    A function that masks may return anything.
    """
    redactor = Redactor(lambda key, value: object() if key == "a" else [value, "\ud83d"])

    assert {"a": "<object>", "b": ("x", "?")} == redactor.attributes({"a": 1, "b": "x"})


def test_a_name_cannot_be_left_out():
    """
    A span without a name is refused by every backend.
    """
    assert "[redacted]" == Redactor(lambda key, value: None).text("span.name", "GET /customers/17")
    assert "7" == Redactor().text("span.name", 7)
