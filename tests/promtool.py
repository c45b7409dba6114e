"""Rules under test: histories of series, and what Prometheus' own tool says about the alerts at some moment."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tta_observe.dashboards import classic
from tta_observe.dashboards.alerts import ALERTS

ROOT = Path(__file__).parent.parent
BY_NAME = {alert.name: alert for alert in ALERTS}

STEP_S = 15
"""Between two samples: what a scrape or an export takes by default."""


def promtool():
    """Where the tool is; without it the test is skipped."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("needs promtool, of Prometheus 2.42 or newer")
    return found


def minutes(number):
    """So many samples."""
    return number * 60 // STEP_S


def series(name, values, **labels):
    """One series: *values* in the notation of promtool, from minute 0 on."""
    matchers = ",".join(f'{label}="{value}"' for label, value in {"job": "shop", **labels}.items())
    return {"series": f"{name}{{{matchers}}}", "values": values}


def executions(status, values, **labels):
    """Executions that ended with *status*."""
    return series("primitive_execution_count", values, execution_status=status, **labels)


def missing(number):
    """Nothing for so many minutes."""
    return f"_x{minutes(number)}"


def rising(step, number, start=0):
    """A counter that rises by *step* at every sample for so many minutes."""
    return f"{start}+{step}x{minutes(number)}"


def constant(value, number):
    """A counter that stays where it is for so many minutes."""
    return f"{value}x{minutes(number)}"


@dataclass(frozen=True)
class Firing:
    """An alert as it should fire: its labels besides the severity, and its summary."""

    summary: str
    labels: dict[str, str] = field(default_factory=dict)

    def expected(self, alert):
        """What promtool compares with: all labels, all annotations."""
        texts = {"description": alert.description, "runbook": alert.runbook, "dashboard": f"/d/{classic.UID}"}
        return {
            "exp_labels": {"severity": alert.severity, **self.labels},
            "exp_annotations": {"summary": self.summary} | {key: self._told(text) for key, text in texts.items()},
        }

    def _told(self, text):
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: self.labels[found[1]], text)


def check(directory, alert, history, expected, rule_file="prometheus/rules/tta_alerts.yml"):
    """
    Let Prometheus' tool play *history* and compare the alert at each minute of *expected*.

    None and an empty list stand for silence.
    """
    tests = [
        {
            "eval_time": f"{minute}m",
            "alertname": alert,
            "exp_alerts": [firing.expected(BY_NAME[alert]) for firing in firings or []],
        }
        for minute, firings in expected.items()
    ]
    play(directory, rule_file, {"interval": f"{STEP_S}s", "input_series": history, "alert_rule_test": tests})


def play(directory, rule_file, test):
    """Run one test of promtool; its own words when it fails."""
    content = {"rule_files": [str(ROOT / rule_file)], "evaluation_interval": "30s", "tests": [test]}
    path = directory / "test.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    ended = subprocess.run([promtool(), "test", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
