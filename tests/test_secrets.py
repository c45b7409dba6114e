"""Secrets are known by their names and by their shapes; everything else is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tta_observe._secrets import is_secret_name, masked

CANARY = "c4n4ry" * 4


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWORD", "user.passwd", "pwd", "passphrase", "secret", "client_secret", "credentials"),
        *("api_key", "API-KEY", "apikey", "openaiApiKey", "OPENAI_API_KEY", "x-api-key", "private_key", "access.key"),
        *("authorization", "http.request.header.authorization", "Proxy-Authorization", "auth", "jwt"),
        *("cookie", "http.response.header.set-cookie", "session", "sessionid", "session_key"),
        *("token", "access_token", "idToken", "X-CSRF-Token", "llm.api.token"),
    ],
)
def test_names_of_secrets(name):
    """
    Whatever the style of spelling: header, variable, attribute or field.
    """
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("llm.prompt_tokens", "max_tokens", "llm.token_type", "gen_ai.usage.input_tokens", "cost_per_token"),
        *("llm.time_to_first_token_ms", "time_to_first_token", "session.id", "session_id", "cache.key", "key"),
        *("author", ":authority", "secretary", "workflow.name", "primary_key", "", "...", "passenger", "monkey"),
    ],
)
def test_names_of_no_secrets(name):
    """
    Token counts are what the dashboards are made of, and ``session.id`` is documented.
    """
    assert not is_secret_name(name)


SHAPES = {
    f"sk-{CANARY}": "[redacted]",
    f"Incorrect API key provided: sk-proj-{CANARY}.": "Incorrect API key provided: [redacted].",
    f"sk-ant-api03-{CANARY}": "[redacted]",
    f"key AKIA{CANARY[:16].upper()} of": "key [redacted] of",
    f"ghp_{CANARY}": "[redacted]",
    f"github_pat_{CANARY}": "[redacted]",
    f"xoxb-123-{CANARY}": "[redacted]",
    f"AIzaSy{CANARY}": "[redacted]",
    f"eyJhbGciOiJI.{CANARY}.{CANARY} and": "[redacted] and",
    f"eyJhbG{CANARY}…[cut]": "[redacted]",
    "at the end: sk-c4n…[cut]": "at the end: [redacted]",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----\nafter": "[redacted]\nafter",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}": "[redacted]",
    f"{CANARY}\n-----END PRIVATE KEY----- after": "[redacted] after",
    f"Bearer {CANARY}": "Bearer [redacted]",
    f"basic {CANARY}==": "basic [redacted]",
    f"postgres://me:{CANARY}@db/x": "postgres://[redacted]@db/x",
    f"https://{CANARY}@sentry/1?a=b": "https://[redacted]@sentry/1?a=b",
    f"https://h/?api_key={CANARY}&x=1": "https://h/?api_key=[redacted]&x=1",
    f"token={CANARY}": "token=[redacted]",
    f"Authorization: Digest u={CANARY}, r={CANARY}\nHost: h": "Authorization: [redacted]\nHost: h",
    f"Cookie: a={CANARY}; b={CANARY}": "Cookie: [redacted]",
    f'{{"password": "{CANARY} \\" {CANARY}", "b": 1}}': '{"password": "[redacted]", "b": 1}',
    f"{{'api_key': '{CANARY}'}}": "{'api_key': '[redacted]'}",
    f'\\"password\\": \\"{CANARY} {CANARY}\\", \\"b\\"': '\\"password\\": \\"[redacted]\\", \\"b\\"',
    f"('authorization', '{CANARY}')": "('authorization', '[redacted]')",
    f"aws_secret_access_key = {CANARY}": "aws_secret_access_key = [redacted]",
    f"password: {CANARY}": "password: [redacted]",
}


@pytest.mark.parametrize(("text", "expected"), SHAPES.items())
def test_shapes_of_secrets(text, expected):
    """
    Keys turn up in the texts of errors; what stands around them is what helps.
    """
    assert expected == masked(text)
    assert expected == masked(masked(text))


@pytest.mark.parametrize(
    "text",
    [
        *("max_tokens=100", "unexpected token: name", "KeyError: 'password'", "secretary: Ann Smith", "monkey: banana"),
        *(
            "task-runner-for-documents",
            "https://host/path?page=2",
            "mailto:ann@example.com",
            "desk-lamp-for-the-office",
        ),
        *("0123456789abcdef0123456789abcdef", "00000000-0000-0000-0000-000000000001", "processor.process", "", "sk-"),
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text):
    """
    A redactor that eats identifiers and prose is switched off.
    """
    assert text == masked(text)


ATOMS = st.sampled_from(
    [
        *("sk-", "eyJ", "xox", ".", "://", "@", ":", "=", ",", " ", "a", "\n", '"', "'", "\\", "…[cut]"),
        *("password", "api_key", "secret_access_", "token", "cookie", "authorization", "bearer "),
        *("-----BEGIN PRIVATE KEY-----", "-----END"),
    ]
)


@given(st.lists(ATOMS, min_size=1, max_size=6), st.lists(ATOMS, max_size=3))
def test_no_text_takes_long(repeated, end):
    """
    Patterns that go back over the same text would let one error message hold up all telemetry: 8 KiB in linear time.
    """
    text = "".join(repeated)
    whole = (text * (8192 // len(text) + 1))[:8192] + "".join(end)
    started = time.process_time()
    masked(whole)

    assert time.process_time() - started < 0.25


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_key_is_found_whatever_stands_around_it(before, after):
    """
    No text in front of a key may keep it from being seen.
    """
    assert CANARY not in masked(f"{before} sk-{CANARY} {after}")
