"""
Seven questions, each with its answer in plain words.

At most 20 lines in all, so that they fit a screen of 24 with the head and a prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from tta_observe.cli import money, words
from tta_observe.cli.servicemap import map_lines
from tta_observe.dashboards import panels, thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tta_observe.cli.report import Report
    from tta_observe.local.rows import ModelRow, PrimitiveRow, WorkflowRow

_VERDICTS: Final = {"green": "Yes", "yellow": "Mostly", "red": "No"}
_MAP_LINES: Final = 4
_NAME_CELLS: Final = 28
_NARROWEST_NAME: Final = 8


def is_working(report: Report, _: int) -> list[Text]:
    """Health, error rate, throughput, active workflows."""
    health = report.health
    ended = health.success + health.error
    if health.score is None:
        cancelled = f"{words.many(health.total, 'execution')}, all cancelled"
        first = Text(f"○ Idle: {cancelled if health.total else 'nothing ended'}", style="dim")
    else:
        color = thresholds.HEALTH.color(health.score)
        share = words.percent(health.score)
        cancelled = f", {words.count(health.cancelled)} cancelled" if health.cancelled else ""
        verdict = f"● {_VERDICTS[color]}: {share} of {words.many(ended, 'execution')} ok{cancelled}"
        first = Text(verdict, style=f"bold {color}")
    facts = (
        f"error rate {words.percent(health.error_rate)}",
        words.per_second(report.throughput.per_second),
        f"{words.many(report.active_workflows, 'workflow')} active",
    )
    return [first, Text(" · ".join(facts))]


def what_is_slow(report: Report, width: int) -> list[Text]:
    """The slowest workflows by P95, and the slowest primitive."""
    first, *rest = report.workflows or (None,)
    lines = [_slow_workflow(first, width)] if first else [Text("No workflow ended", style="dim")]
    if rest:
        lines.append(Text("then " + ", ".join(f"{_short(row.name)} {words.p95(row.p95_ms)}" for row in rest if row)))
    if report.primitives:
        slowest = report.primitives[0]
        lines.append(_named("slowest primitive: ", slowest.name, f" · P95 {words.p95(slowest.p95_ms)}", width))
    return lines


def why_failing(report: Report, _: int) -> list[Text]:
    """Errors by type, and where they are raised."""
    if not report.errors:
        return [Text("Nothing failed" if report.health.total else "Nothing ran", style="dim")]
    shown = [
        Text(f"{words.count(row.count)} × {_class(row.error_type)} ({words.percent(row.share)})", style="red")
        for row in report.errors[:2]
    ]
    more = len(report.errors) - len(shown)
    failing = [row for row in report.primitives if row.errors]
    where = ", ".join(f"{_short(row.name)} {words.count(row.errors)}" for row in _by_errors(failing))
    last = [f"{words.many(more, 'more type')}" if more else "", f"in {where}" if where else ""]
    return [*shown, *([Text("; ".join(filter(None, last)))] if any(last) else [])]


def is_money_wasted(report: Report, _: int) -> list[Text]:
    """How often caches hit, and what that saved."""
    cache = report.cache
    if cache.hit_rate is None:
        return [Text("No cache lookups", style="dim")]
    style = thresholds.CACHE.color(cache.hit_rate)
    lookups = words.many(cache.lookups, "lookup")
    first = Text(f"Cache hit rate {words.percent(cache.hit_rate)}: {words.count(cache.hits)} of {lookups}", style=style)
    saved = f"hits saved {words.usd(cache.saved_usd)} (estimate)" if cache.saved_usd else "what hits save is not known"
    return [first, Text(saved)]


def which_llm_costs(report: Report, width: int) -> list[Text]:
    """Cost and tokens of the dearest models."""
    if not report.models:
        return [Text("No LLM calls", style="dim")]
    lines = [_model(row, width) for row in report.models[:2]]
    more = len(report.models) - len(lines)
    return [*lines, Text(words.many(more, "more model"))] if more else lines


def how_much(report: Report, width: int) -> list[Text]:
    """Estimated cost in all and per hour, who spends it, and the calls whose cost is not known: never priced at 0."""
    spending, unknown = report.spending, _unknown(report, width)
    if not spending.cost_usd:
        return unknown or [Text("cost $0.00" if report.models else "Nothing: no LLM calls", style="dim")]
    in_all, per_hour = (words.usd(cost, at_least=bool(unknown)) for cost in (spending.cost_usd, spending.per_hour_usd))
    first = f"Estimate: {in_all} in all, {per_hour} per hour"
    of_traffic = " of traffic" if Text(first).cell_len + len(" of traffic") <= width else ""
    return [Text(first + of_traffic), *_spenders(report, width), *unknown]


def what_calls_what(report: Report, _: int) -> list[Text]:
    """The first lines of the service map."""
    lines = map_lines(report.connections)
    if not lines:
        return [Text("No connections", style="dim")]
    if len(lines) <= _MAP_LINES:
        return lines
    more = words.many(len(lines) - _MAP_LINES + 1, "more line")
    return [*lines[: _MAP_LINES - 1], Text(f"{more} below", style="dim")]


QUESTIONS: Final[Sequence[tuple[str, Callable[[Report, int], list[Text]]]]] = (
    (panels.HEALTH.question, is_working),
    (panels.SLOWEST_WORKFLOWS.question, what_is_slow),
    (panels.ERRORS.question, why_failing),
    (panels.CACHE.question, is_money_wasted),
    (panels.TOKENS.question, which_llm_costs),
    (panels.COST.question, how_much),
    (panels.SERVICE_MAP.question, what_calls_what),
)


def _slow_workflow(row: WorkflowRow, width: int) -> Text:
    facts = f" · P95 {words.p95(row.p95_ms)} · {words.many(row.runs, 'run')} · {words.percent(row.success_rate)} ok"
    return _named("", row.name, facts, width)


def _model(row: ModelRow, width: int) -> Text:
    cost = "cost unknown" if row.cost_usd is None else f"{money.known(row.cost_usd, row.is_lower_bound)} (estimate)"
    return _named("", row.model, f" · {cost} · {words.many(row.total_tokens, 'token')}", width)


def _spenders(report: Report, width: int) -> list[Text]:
    """Name the dearest runs, agent and primitive, as many as fit a line."""
    runs = sorted((row for row in report.workflows if row.cost_usd), key=lambda row: -(row.cost_per_run_usd or 0))
    first, *more = [
        f"{_short(row.name)} {money.known(row.cost_per_run_usd, row.cost_is_lower_bound)} per run" for row in runs
    ] or [""]
    others = [
        f"{row.by} {_short(row.name)} {money.known(row.cost_usd, row.is_lower_bound)}"
        for by in ("agent", "primitive")
        for row in [row for row in report.costs if row.by == by and row.cost_usd][:1]
    ]
    parts = [part for part in (first, *others, *more) if part]
    return [Text(_as_fits(parts, width))] if parts else []


def _as_fits(parts: Sequence[str], width: int) -> str:
    line, *more = parts
    for part in more:
        longer = f"{line} · {part}"
        line = longer if Text(longer).cell_len <= width else line
    return line


def _unknown(report: Report, width: int) -> list[Text]:
    """Count the LLM calls whose cost is not known, and name the models without a price."""
    spending = report.spending
    silent = f"{words.count(spending.no_usage_calls)} without usage" if spending.no_usage_calls else ""
    if not spending.unpriced_calls:
        return [Text(f"cost unknown: {words.many(spending.no_usage_calls, 'call')} without usage")] if silent else []
    before = f"{words.many(spending.unpriced_calls, 'call')} without a price"
    names = ", ".join(row.model or "unnamed" for row in report.models if row.unpriced_calls)
    after = f" · {silent}" if silent else ""
    line = _named(f"{before}: ", names, after, width) if names else Text(before + after)
    line.stylize("yellow")
    return [line]


def _named(before: str, name: str | None, facts: str, width: int) -> Text:
    """Join the three; where they do not fit, it is the name that is cut."""
    room = width - Text(before + facts).cell_len
    return Text(f"{before}{_short(name, max(room, _NARROWEST_NAME))}{facts}")


def _class(error_type: str) -> str:
    return words.plain_text(error_type).rpartition(".")[-1]


def _by_errors(rows: Sequence[PrimitiveRow]) -> list[PrimitiveRow]:
    return sorted(rows, key=lambda row: -row.errors)[:3]


def _short(name: str | None, cells: int = _NAME_CELLS) -> str:
    text = Text(words.plain_text(name if name is not None else "unnamed"))
    text.truncate(cells, overflow="ellipsis")
    return text.plain
