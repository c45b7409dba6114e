"""
What a secret looks like: the names it goes by, and the shapes that issuers give it.

Every pattern takes linear time: a token is looked for only where one can begin, and no quantifier gives anything back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tta_observe.semconv import REDACTED

_NAMES: Final = re.compile(
    r"pass(?:word|wd|phrase)|secret(?!ar)|credential|authorization|cookie"
    r"|(?:api|access|account|auth|private|signing|encryption|master|session)key"
)
"""Anywhere in a key, separators left out: ``DB_PASSWORD``, ``openaiApiKey``."""

_LAST_WORDS: Final = frozenset({"token", "session", "sessionid", "pwd", "jwt", "bearer", "auth", "csrf", "xsrf"})
"""Secret at the end of a key: ``access_token``, but neither ``token_type`` nor ``session.id``."""

_COUNTED: Final = frozenset({"per", "first", "last", "next", "stop", "start", "end", "eos", "bos", "pad", "unk"})
"""Before ``token`` it is a language model's: ``time_to_first_token``."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST_KEY: Final = 256

_SHORTEST: Final = 8
"""Shorter text holds no secret."""

_OFTEN_SEEN: Final = 64
"""Text of so many characters is remembered: names, types and models come again and again."""


@lru_cache(maxsize=2048)
def is_secret_name(key: str) -> bool:
    """
    Whether what goes by the name *key* is a secret, e.g. ``db.password`` or ``X-Api-Key``.

    Counts of tokens and documented names such as ``session.id`` are none.
    """
    words = [word.lower() for word in _WORD.findall(key[:_LONGEST_KEY])]
    if not words:
        return False
    if _NAMES.search("".join(words)):
        return True
    return words[-1] in _LAST_WORDS and not (len(words) > 1 and words[-2] in _COUNTED)


def masked(text: str) -> str:
    """*text*, a few kilobytes at most, with every secret in it replaced by :data:`tta_observe.semconv.REDACTED`."""
    if len(text) < _SHORTEST:
        return text
    return _masked_often(text) if len(text) <= _OFTEN_SEEN else _masked(text)


_ISSUERS: Final = (
    *("sk-", "pk-", "rk-", "k_live_", "k_test_", "whsec_", "lsv2_", "gsk_", "hf_", "r8_", "pplx-", "xai-", "tvly-"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "glpat-", "xox", "xapp-", "npm_", "pypi-", "_v1_", "ntn_"),
    *("akia", "asia", "aiza", "ya29.", "sg.", "eyj"),
)
_ISSUED: Final = (
    r"(?<![\w-])(?:"
    # OpenAI, Anthropic, Stripe, LangSmith, Groq, Hugging Face, Replicate, Perplexity, xAI, Tavily
    r"(?:[srp]k-|[sr]k_(?:live|test)_|whsec_|lsv2_|gsk_|hf_|r8_|pplx-|xai-|tvly-"
    # GitHub, GitLab, Slack, npm, PyPI, DigitalOcean, Notion; Amazon, Google
    r"|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|npm_|pypi-|do[opr]_v1_|ntn_|A[KS]IA|AIza|ya29\.)"
    # What was cut to size may end in the middle of a token.
    r"(?:[\w-]{12,}+|[\w-]*+…\[cut\])"
    # SendGrid; JSON Web Tokens, signed or encrypted
    r"|SG\.[\w-]{16,}+\.[\w-]*+|eyJ[\w-]{6,}+(?:(?:\.[\w-]*+){1,4}|…\[cut\]))"
)
_SEPARATED: Final = r"\\{0,3}[\"'\]]{0,2}\s{0,4}[:=,]\s{0,4}"
_QUOTED: Final = r"(?P<quote>\\{0,3}[\"'])(?:(?!(?P=quote))(?:\\.|.))++"
_PRIVATE_KEY: Final = (
    r"-----BEGIN[ A-Z]{0,40}PRIVATE KEY-----(?:(?!-----END).)*+(?:-----END[ A-Z]{0,40}-----)?"
    # Stack traces keep their end, which may begin inside a key.
    r"|\A(?:(?!-----(?:BEGIN|END)).)*+-----END[ A-Z]{0,40}PRIVATE KEY-----"
)
_HEADER: Final = rf"(?P<keep>(?:cookie|authorization){_SEPARATED})(?:{_QUOTED}|[^\s\"'][^\r\n\"']*+)"
_NAMED: Final = (
    r"(?P<keep>(?:pass(?:word|wd|phrase)|\bpwd|secret(?:[ _-]?(?:access[ _-]?)?key)?|credentials?"
    rf"|(?:api|access|account|auth|private|signing|encryption|master)[ _-]?key){_SEPARATED})"
    rf"(?:{_QUOTED}|[^\s\"',;&)}}]++)"
)
# A dozen characters at least: "unexpected token: name" is a parser's complaint.
_TOKEN: Final = rf"(?P<keep>token{_SEPARATED}\\{{0,3}}[\"']?)[\w.~+/=-]{{12,}}+"

_ANY_CASE: Final = re.ASCII | re.IGNORECASE | re.DOTALL
_SHAPES: Final = (
    (_ISSUERS, re.compile(_ISSUED, re.ASCII), REDACTED),
    (("private key-----",), re.compile(_PRIVATE_KEY, re.DOTALL), REDACTED),
    (("://",), re.compile(r"(?<=://)[^\s/@?#\"']++@"), f"{REDACTED}@"),
    (
        ("bearer ", "basic "),
        re.compile(r"(?P<keep>\b(?:bearer|basic) {1,4})[\w.~+/=-]{8,}+", _ANY_CASE),
        rf"\g<keep>{REDACTED}",
    ),
    (("cookie", "authorization"), re.compile(_HEADER, _ANY_CASE), rf"\g<keep>\g<quote>{REDACTED}"),
    (("pass", "pwd", "secret", "credential", "key"), re.compile(_NAMED, _ANY_CASE), rf"\g<keep>\g<quote>{REDACTED}"),
    (("token",), re.compile(_TOKEN, _ANY_CASE), rf"\g<keep>{REDACTED}"),
)
"""One of these must stand in the text, in small letters; the pattern looked for then; and what takes its place."""

_HINTS: Final = tuple(hint for hints, _, _ in _SHAPES for hint in hints)


def _masked(text: str) -> str:
    small = text.lower()
    found = {hint for hint in _HINTS if hint in small}
    for hints, pattern, instead in _SHAPES if found else ():
        if not found.isdisjoint(hints):
            text = pattern.sub(instead, text)
    return text


_masked_often: Final = lru_cache(maxsize=4096)(_masked)
