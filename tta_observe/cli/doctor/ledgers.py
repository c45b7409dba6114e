"""The ledgers of programs: what became of every span that they recorded. Pure: from rows to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tta_observe.cli.words import count, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tta_observe.cli.doctor.findings import Finding, Group
    from tta_observe.local.rows import Account, LedgerRow

_REMEDIES: Final = {
    "queue_full": "More came than could be sent. See that the receiver keeps up, or keep fewer traces:\n"
    "  configure(sample_ratio=0.1)",
    "export_failed": "The receiver refused them. Look what it logs, and what is said under OTLP here",
    "too_large": "The receiver takes smaller requests only: raise its limit to 4 MiB",
    "shutdown": "The program ended before they were sent. Give it longer:\n  tta_observe.shutdown(timeout_s=10)",
    "encode": "They held what cannot be encoded: see stats().internal_errors of the program",
}
_KILLED: Final = "It was killed, or is stuck. Let it end by itself, or write:\n  configure(flush_on_sigterm=True)"
_ENDED: Final = (
    "They waited when it ended. See that the receiver is reached, or give the program longer:\n"
    "  tta_observe.shutdown(timeout_s=10)"
)


def judge(group: Group, rows: Iterable[LedgerRow]) -> Iterator[Finding]:
    """One finding for each exporter of a process; spans that were lost, or will be, are worth a look."""
    for row in rows:
        left = None if row.alive else _ENDED if row.ended else _KILLED
        yield finding(group, f"spans of {row.service_name} {row.pid or ''}".strip(), row.account, left)


def finding(group: Group, name: str, account: Account, left: str | None = None) -> Finding:
    """What became of the spans of *account*; *left* is what to do when some still wait."""
    found = f"{plain_text(account.exporter)}: {equation(account)}"
    remedy = left if account.waiting else None
    if account.dropped:
        most = max(account.dropped, key=lambda reason: account.dropped[reason])
        remedy = _REMEDIES.get(most, "See stats() of the program")
    told = plain_text(name)
    return group.ok(told, found) if remedy is None else group.warning(told, found, remedy)


def equation(account: Account) -> str:
    """Recorded = delivered + dropped by reason + queued + in flight; of the last three what there is."""
    lost = [(f"dropped ({plain_text(reason)})", number) for reason, number in sorted(account.dropped.items())]
    waiting = [("queued", account.queued), ("in flight", account.in_flight)]
    parts = [("delivered", account.delivered), *(part for part in [*lost, *waiting] if part[1])]
    return f"{count(account.recorded)} recorded = " + " + ".join(f"{count(number)} {what}" for what, number in parts)
