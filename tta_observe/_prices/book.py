"""What genai-prices says, read once. Imported by the thread that reads it, never by a call."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from genai_prices import types
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

from tta_observe._prices import names
from tta_observe._prices.tariff import Tariff
from tta_observe.pricing import Rates, rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

_VERSION: Final = re.compile(
    r"(?:[-@]?(?:latest|default|preview|20\d\d-\d\d-\d\d|\d\d-\d\d(?:-?\d{2,4})?|\d{8}|\d{6}|\d{2,4})|-v\d(?::\d)?|:\d)*"
)
"""What may follow a name without changing its price: versions and dates, not ``-mini``, ``-tts``, ``:7b``."""

_VENDOR: Final = re.compile(
    r"(?:(?:us|global)\.)?(?:(?!(?:eu|apac|jp|au|ca|in)\.)[a-z0-9]+\.)?|(?:[a-z]+\.)?anthropic\.|anthropic/"
)
"""
What may stand before a name: vendor and region. Bedrock bills some regions more, and only for Anthropic's models are
they listed.
"""

_FINE_TUNE: Final = re.compile(r"[\d-]*(?::.*)?")


class Book:
    """The prices of one snapshot of genai-prices."""

    def __init__(self, snapshot: DataSnapshot) -> None:
        self._snapshot = snapshot
        self._providers = {provider.id: provider for provider in snapshot.providers}
        self.source = f"genai-prices {version('genai-prices')}"
        self.date = _date(snapshot)

    @classmethod
    def read(cls) -> Book:
        """
        Read what came with the package, or what the application has put in its place. Nothing is fetched.

        Raises:
            Exception: whatever an installation that does not fit may raise.
        """
        return cls(get_snapshot())

    def is_outdated(self) -> bool:
        """Whether the application has put newer prices in place."""
        return get_snapshot() is not self._snapshot

    def renewed(self) -> Book:
        """What the application has put in place."""
        return Book(get_snapshot())

    def tariff(self, provider: str | None, model: str) -> Tariff | None:
        """How *model* is billed; None when it is not listed, or under a name that may mean another price."""
        for provider_id, name in names.references(provider, model):
            for listed in self._listed(provider_id, name):
                return self._tariff(listed, name)
        return None

    def _tariff(self, listed: types.ModelInfo, name: str) -> Tariff | None:
        prices = listed.prices
        if not isinstance(prices, types.ModelPrice):
            at = partial(datetime.fromtimestamp, tz=UTC)
            return Tariff(lambda now: _rates(listed.get_prices(at(now))), self.source, self.date)
        if _numbers(prices):
            return Tariff.fixed(_rates(prices), self.source, self.date)
        # Listed without any price: by subscription, retired, or free, which only the name may say.
        return Tariff.fixed(Rates(0, 0), self.source, self.date) if name.endswith(":free") else None

    def _listed(self, provider_id: str, name: str) -> Iterator[types.ModelInfo]:
        provider = self._providers.get(provider_id)
        if provider is None or (provider_id == "openai" and name.startswith("gpt-oss")):  # open: anybody serves it
            return
        others = (self._providers.get(other) for other in provider.fallback_model_providers or ())
        models = [model for place in (provider, *others) if place is not None for model in place.models]
        if provider_id == "mistral" and name.endswith("-latest"):  # moves on to models with a price of their own
            models = [model for model in models if model.id == name]
        for spelled in dict.fromkeys((name, names.dashed(name))):
            yield from (model for model in models if _is_called(model, spelled))


def _is_called(model: types.ModelInfo, name: str) -> bool:
    if name.startswith("ft:") and not model.id.startswith("ft:"):  # a fine-tune has a price of its own
        return False
    return _means(model.match, name)


def _means(clause: Any, name: str) -> bool:
    """Whether *clause* accounts for all of *name*, and not only for a part that a dearer relative has, too."""
    match clause:
        case types.ClauseOr(or_=clauses):
            return any(_means(each, name) for each in clauses)
        case types.ClauseAnd(and_=clauses):
            return clause.is_match(name) and any(_means(each, name) for each in clauses)
        case types.ClauseEquals(equals=text):
            return name == text.lower()
        case types.ClauseRegex(regex=pattern):
            found = re.search(pattern, name)
            return found is not None and bool(found.group()) and _is_version(name[found.end() :])
    return _contains(clause, name)


def _contains(clause: Any, name: str) -> bool:
    match clause:
        case types.ClauseStartsWith(starts_with=text):
            rest = name.removeprefix(text.lower()) if name.startswith(text.lower()) else None
            return rest is not None and (_is_version(rest) or (text.startswith("ft:") and _is_fine_tune(rest)))
        case types.ClauseEndsWith(ends_with=text) | types.ClauseContains(contains=text):
            before, found, rest = name.partition(text.lower())
            return bool(found) and _VENDOR.fullmatch(before) is not None and _is_version(rest)
    return False


def _is_version(rest: str) -> bool:
    return _VERSION.fullmatch(rest) is not None


def _is_fine_tune(rest: str) -> bool:
    return _FINE_TUNE.fullmatch(rest) is not None


def _numbers(prices: types.ModelPrice) -> dict[str, Any]:
    return {key: value for key, value in vars(prices).items() if value is not None}


def _rates(prices: types.ModelPrice) -> Rates:
    """The rates of each tier of input tokens, the last one made first."""
    numbers = _numbers(prices)
    limits = sorted({tier.start for value in numbers.values() for tier in getattr(value, "tiers", ())})
    made: Rates | None = None
    for reached, limit in reversed([*zip([-1, *limits], [*limits, 0], strict=True)]):
        made = _tier(numbers, reached, limit, made)
    return made or Rates(None, None)


def _tier(numbers: dict[str, Any], reached: int, limit: int, beyond: Rates | None) -> Rates:
    def at(key: str) -> int | None:
        value = numbers.get(key)
        return None if value is None else rate(_price(value, reached))

    return Rates(
        at("input_mtok"),
        at("output_mtok"),
        at("cache_read_mtok"),
        at("cache_write_mtok"),
        at("output_reasoning_mtok"),
        (at("requests_kcount") or 0) * 1000,
        limit,
        beyond,
    )


def _price(value: Decimal | types.TieredPrices, reached: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    tiers = [tier.price for tier in value.tiers if tier.start <= reached]
    return tiers[-1] if tiers else value.base


def _date(snapshot: DataSnapshot) -> str | None:
    """
    Of when the prices are.

    The package does not say when they were checked last. It says from which day on a price holds; the newest of those
    days that has come is within a day or so of the release.
    """
    if snapshot.from_auto_update:
        return snapshot.timestamp.date().isoformat()
    today = datetime.now(tz=UTC).date()
    days = (day for provider in snapshot.providers for model in provider.models for day in _days(model))
    newest = max((day for day in days if day <= today), default=None)
    return newest.isoformat() if newest is not None else None


def _days(model: types.ModelInfo) -> Iterator[date]:
    for price in model.prices if isinstance(model.prices, list) else ():
        if isinstance(price.constraint, types.StartDateConstraint):
            yield price.constraint.start_date
