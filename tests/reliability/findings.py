"""What a check has found: each figure beside the most it may be."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One figure or comparison. *load* is the share of its limit that was used up; above 1 it is over the bar."""

    text: str
    load: float
    noisy: bool = False
    """A time, an amount of memory, or a ratio of such: another run gives another figure. A count is no such thing."""


@dataclass
class Findings:
    """All findings of one run of one row."""

    found: list = field(default_factory=list)
    numbers: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)
    reported: str = ""
    """Why figures are reported and not held to their bar; empty where they are."""

    def at_most(self, what, limit, value, unit=""):
        """*value* was measured, *limit* is the bar. Measured again under the same name, the worst is kept."""
        before = self.numbers.get(what, value)
        self.numbers[what] = None if None in (before, value) else max(before, value)
        share = (value / limit if limit else float(value > 0) * 2) if value is not None else 9.0
        self._add(f"{what} {shown(value, unit)}", share, noisy=isinstance(value, float))

    def at_least(self, what, limit, value, unit=""):
        self.numbers[what] = value
        self._add(f"{what} {shown(value, unit)}", limit / value if value else 9.0, noisy=isinstance(value, float))

    def same(self, what, expected, got):
        """An exact comparison; only a difference is worth words."""
        self.numbers[what] = got if isinstance(got, (int, float, str, bool)) else repr(got)
        if got == expected:
            self._add("", 0.0)
        else:
            self._add(f"{what}: expected {brief(expected)}, got {brief(got)}", 9.0)

    def holds(self, what, condition):
        """A statement that has to be true."""
        self.numbers[what] = bool(condition) and self.numbers.get(what, True)
        self._add("" if condition else f"not so: {what}", 0.0 if condition else 9.0)

    def all_of(self, what, expected, got):
        """So many of so many."""
        self.numbers[what] = got
        self._add(f"{what} {got}/{expected}", 0.0 if got == expected else 9.0)

    def ended_well(self, ended, code=0, stderr=""):
        """Ended in time, with its own return code, and with nothing on standard error but *stderr*."""
        if ended.hung:
            self._add(f"{ended.name} hung", 9.0)
        self.same(f"{ended.name} exit code", code, ended.code)
        self.same(f"{ended.name} stderr", stderr, ended.err)

    def remark(self, text):
        """Said under the table: what could not be run, or how the bar was worded."""
        self.remarks.append(text)

    def report(self, why):
        """Say that, and why, some figures are not held to their bar."""
        self.reported = why
        self.remark(why)

    def _add(self, text, load, *, noisy=False):
        self.found.append(Finding(text, load, noisy))

    @property
    def passed(self):
        return bool(self.found) and all(finding.load <= 1 for finding in self.found)

    @property
    def may_be_noise(self):
        """Over the bar in figures alone that are another each time; a hang, or a span too few, is never noise."""
        return not self.passed and bool(self.found) and all(f.noisy for f in self.found if f.load > 1)

    @property
    def load(self):
        return max((finding.load for finding in self.found), default=9.0)

    @property
    def figure(self):
        """In one line: what failed, or what was measured."""
        shown_ones = [f.text for f in self.found if f.text and (self.passed or f.load > 1)]
        return "; ".join(dict.fromkeys(shown_ones)) or ("as it should be" if self.found else "nothing was found")


def shown(value, unit=""):
    if value is None:
        return "none"
    number = f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value:,.0f}"
    return f"{number} {unit}".strip()


def brief(value, limit=200):
    text = value if isinstance(value, str) and value else repr(value)
    text = " | ".join(text.splitlines()) if "\n" in text else text
    return text if len(text) <= limit else text[: limit // 2] + " … " + text[-limit // 2 :]
