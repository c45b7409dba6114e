"""What one mixed call costs by each of three sources: the provider's page, genai-prices, LiteLLM's map."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tta_observe import _prices
from tta_observe.usage import LLMUsage

HERE = Path(__file__).parent
LITELLM = HERE / "litellm.json"
README = HERE / "README.md"

_SMALL, _LARGE = 120_000, 300_000
"""Input tokens of a call below all limits, and of one above them."""

_LITELLM = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
FIELDS = (*_LITELLM, "cache_creation_input_token_cost", *(f"{name}_above_200k_tokens" for name in _LITELLM))
"""What is kept of LiteLLM's map."""


@dataclass(frozen=True)
class Row:
    """One model on one page, and a call of it."""

    page: dict
    prices: dict
    usage: LLMUsage

    @property
    def name(self) -> str:
        """Of the row, for people."""
        model = f"{self.page['provider']}/{self.usage.model}"
        return f"{model} {self.usage.prompt_tokens // 1000}k {self.page['holds']:%F %H:%M}"

    @property
    def as_of(self) -> str:
        """When the page said so."""
        return "undated" if self.page.get("undated") else f"{self.page['holds']:%F %H:%M}"

    @property
    def published(self) -> Decimal:
        """Cost by the provider's page."""
        above = self.usage.prompt_tokens > self.prices.get("above", 10**9)
        price = {key: self.prices.get(f"{key}_above") if above else self.prices.get(key) for key in self.prices}
        return _cost(self.usage, price["input"], price["output"], price.get("cached"), price.get("written")) / 10**6

    @property
    def ours(self) -> Decimal | None:
        """Cost as a span gets it, as of the day of the page."""
        cost = _prices.cost_of(self.usage, {}, now=self.page["holds"].timestamp())
        return None if cost is None else Decimal(repr(cost.usd))

    def litellm(self, listed: dict) -> Decimal | None:
        """Cost by LiteLLM's map; None where it does not have the model."""
        found = listed.get(self.key)
        if found is None:
            return None
        above = self.usage.prompt_tokens > _LARGE - 100_000
        rates = [
            found.get(f"{name}_above_200k_tokens", found.get(name)) if above else found.get(name) for name in _LITELLM
        ]
        exact = [None if rate is None else Decimal(repr(rate)) for rate in (*rates, found.get(FIELDS[3]))]
        return _cost(self.usage, *exact)

    @property
    def key(self) -> str:
        """Under which LiteLLM has the model."""
        return self.page.get("litellm", "") + self.usage.model


def rows() -> list[Row]:
    """All rows of the published prices; those with tiers twice."""
    pages = tomllib.loads((HERE / "published.toml").read_text(encoding="utf-8"), parse_float=Decimal)["page"]
    return [
        Row(page, prices, _usage(page["provider"], prices, prompt))
        for page in pages
        for prices in page["models"]
        for prompt in ((_SMALL, _LARGE) if "above" in prices else (_SMALL,))
    ]


def _usage(provider: str, prices: dict, prompt: int) -> LLMUsage:
    """A call that reads from the cache, writes to it and reasons, where the page has a price for it."""
    cached, written = 40_000 if "cached" in prices else None, 20_000 if "written" in prices else None
    return LLMUsage(provider, prices["model"], prompt, 8_000, cached, None, "unpriced", written, 3_000)


def _cost(
    usage: LLMUsage, prompt: Decimal, completion: Decimal, cached: Decimal | None, written: Decimal | None
) -> Decimal:
    read, wrote = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    parts = (
        (usage.prompt_tokens - read - wrote, prompt),
        (read, prompt if cached is None else cached),
        (wrote, prompt if written is None else written),
        (usage.completion_tokens, completion),
    )
    return sum((Decimal(count) * price for count, price in parts), Decimal(0))


def excerpt(wheel_version: str, listed: dict) -> dict:
    """Of LiteLLM's map, what the rows need."""
    wanted = {row.key: listed[row.key] for row in rows() if row.key in listed}
    kept = {key: {name: entry[name] for name in FIELDS if name in entry} for key, entry in sorted(wanted.items())}
    return {"litellm": wheel_version, "models": kept}


def agree(one: Decimal | None, other: Decimal | None) -> bool:
    """Whether two costs are the same, to a billionth of a dollar."""
    return one is not None and other is not None and abs(one - other) < Decimal("1e-9")


def markdown() -> str:
    """The table of all rows, and those where the sources differ."""
    known = json.loads(LITELLM.read_text(encoding="utf-8"))
    found = [(row, row.published, row.ours, row.litellm(known["models"])) for row in rows()]
    differing = [
        f"- {row.name}: published {_usd(page)}, genai-prices {_usd(ours)}, LiteLLM {_usd(theirs)}"
        for row, page, ours, theirs in found
        if not agree(page, ours) or not (theirs is None or agree(page, theirs))
    ]
    lines = [
        f"| {row.page['provider']} | {row.usage.model} | {row.usage.prompt_tokens:,} | {row.as_of} "
        f"| {_usd(page)} | {_usd(ours)} | {_usd(theirs)} | {_source(row.page)} |"
        for row, page, ours, theirs in found
    ]
    source = _prices.cost_of(found[0][0].usage, {}).source
    return _TEXT.format(
        genai=source, litellm=known["litellm"], rows="\n".join(lines), differing="\n".join(differing) or "None."
    )


def _usd(cost: Decimal | None) -> str:
    return "not listed" if cost is None else f"{cost:.6f}".rstrip("0")


def _source(page: dict) -> str:
    return f"{page['address']}, quoted by {page['quoted_by']}" if "quoted_by" in page else page["address"]


_TEXT = """# What a call costs, by three sources

Written by `python tests/prices`. The prices in `published.toml` were typed from the pages, read on 2026-11-22; where a
provider's own page could not be read, the page that quotes it is named. One call of each model: 8,000 output tokens,
3,000 of them reasoning, and input tokens as in the table, of which 40,000 were read from the cache and 20,000 written
to it where the page has a price for that. In USD, as of the time when the page said so; LiteLLM's map has no history
and is that of its release.

Published against {genai} and LiteLLM {litellm}:

| provider | model | input tokens | as of (UTC) | published | genai-prices | LiteLLM | page |
|---|---|---:|---|---:|---:|---:|---|
{rows}

Where they differ:

{differing}
"""
