"""The seven alerts, played through by Prometheus' own tool: when they fire, and above all when they do not."""

import pytest
from promtool import Firing, check, constant, executions, missing, play, rising, series

from tta_observe.dashboards.alerts import ALERTS
from tta_observe.dashboards.rules import alerting

NEVER = dict.fromkeys(range(1, 61))
"""Silence in every minute of an hour."""


def runs(le, values, workflow="chat"):
    """Runs of a workflow that took up to *le* ms."""
    labels = {"primitive_type": "workflow", "workflow_name": workflow}
    return series("primitive_execution_duration_bucket", values, le=le, **labels)


def slow_runs(slow, fast, number, workflow="chat"):
    """Runs at every sample: *slow* ones of 8 s and *fast* ones of 80 ms."""
    both = slow + fast
    return [
        runs("100", rising(fast, number), workflow),
        runs("5000", rising(fast, number), workflow),
        runs("10000", rising(both, number), workflow),
        runs("+Inf", rising(both, number), workflow),
        executions("success", rising(both, number), primitive_type="workflow", workflow_name=workflow),
    ]


ERROR_RATE = {
    "a tenth fails": (
        [executions("success", rising(9, 30)), executions("error", rising(1, 30), error_type="ValueError")],
        {4: None, 7: [Firing("10% of executions fail")], 20: [Firing("10% of executions fail")]},
    ),
    "a tenth fails, most are cancelled": (
        [
            executions("success", rising(9, 30)),
            executions("error", rising(1, 30)),
            executions("cancelled", rising(90, 30)),
        ],
        {7: [Firing("10% of executions fail")]},
    ),
    "exactly the limit": (
        [executions("success", rising(95, 60)), executions("error", rising(5, 60))],
        NEVER,
    ),
    "idle": ([executions("success", constant(900, 60)), executions("error", constant(900, 60))], NEVER),
    "nothing measured": ([], NEVER),
    "no error series": ([executions("success", rising(9, 60))], NEVER),
    "cancelled ones are no errors": (
        [executions("success", rising(9, 60)), executions("cancelled", rising(90, 60))],
        NEVER,
    ),
    "too little traffic to tell": ([executions("error", f"0+0x3 {' '.join(str(n // 8) for n in range(236))}")], NEVER),
    "one run with a failing primitive": (
        [
            executions("success", "0 1x240", primitive_name="load"),
            executions("error", "0 1x240", primitive_name="ask", error_type="TimeoutError"),
            executions("error", "0 1x240", primitive_name="chat", primitive_type="workflow"),
        ],
        NEVER,
    ),
    "a process restarts": (
        [
            executions("success", f"{rising(98, 20)} {rising(98, 39)}"),
            executions("error", f"{rising(2, 20)} {rising(2, 39)}"),
        ],
        NEVER,
    ),
    "another process takes over": (
        [
            executions("success", f"{rising(98, 20)} {missing(40)}", instance="a"),
            executions("error", f"{rising(2, 20)} {missing(40)}", instance="a"),
            executions("success", f"{missing(20)} {rising(98, 39)}", instance="b"),
            executions("error", f"{missing(20)} {rising(2, 39)}", instance="b"),
        ],
        NEVER,
    ),
    "the first error ever": (
        [executions("success", rising(9, 60)), executions("error", f"{missing(20)} {constant(1, 39)}")],
        NEVER,
    ),
    "a burst that is over": (
        [executions("success", rising(9, 60)), executions("error", f"{missing(20)} {constant(50, 39)}")],
        NEVER,
    ),
    "errors of ever new types, each series born at its first error": (
        [
            executions("success", rising(9, 40)),
            *(
                executions("error", f"{missing(10 + n)} {constant(10, 29 - n)}", error_type=f"Error{n}")
                for n in range(20)
            ),
        ],
        {9: None, 20: [Firing("21.74% of executions fail")], 29: [Firing("21.74% of executions fail")]},
    ),
    "it keeps firing for five minutes": (
        [executions("success", rising(9, 60)), executions("error", f"{rising(1, 20)} {constant(80, 39)}")],
        {20: [Firing("10% of executions fail")], 40: None},
    ),
}

CACHE = {
    "a fifth hits": (
        [series("cache_hits", rising(2, 30)), series("cache_total", rising(10, 30))],
        {9: None, 13: [Firing("Only 20% of cache lookups hit")]},
    ),
    "misses alone, so that there is no series of hits": (
        [series("cache_total", rising(10, 30))],
        {13: [Firing("Only 0% of cache lookups hit")]},
    ),
    "exactly the limit": ([series("cache_hits", rising(5, 60)), series("cache_total", rising(10, 60))], NEVER),
    "idle": ([series("cache_hits", constant(1, 60)), series("cache_total", constant(100, 60))], NEVER),
    "no cache": ([executions("success", rising(9, 60))], NEVER),
    "too few lookups": ([series("cache_total", " ".join(str(n // 2) for n in range(30)) + " 15x200")], NEVER),
    "a cache that warms up": (
        [series("cache_hits", f"{missing(5)} {rising(9, 54)}"), series("cache_total", rising(10, 60))],
        NEVER,
    ),
    "a process restarts": (
        [
            series("cache_hits", f"{rising(8, 20)} {rising(8, 39)}"),
            series("cache_total", f"{rising(10, 20)} {rising(10, 39)}"),
        ],
        NEVER,
    ),
}

COST = {
    "half a dollar every fifteen seconds": (
        [series("llm_cost_total", rising(0.5, 30))],
        {14: None, 22: [Firing("LLM calls cost 120 USD an hour")]},
    ),
    "just below the limit": ([series("llm_cost_total", rising(0.4, 60))], NEVER),
    "one dear afternoon of a minute": ([series("llm_cost_total", f"0x40 {rising(10, 1)} {constant(40, 45)}")], NEVER),
    "idle": ([series("llm_cost_total", constant(5000, 60))], NEVER),
    "nothing priced": ([series("llm_unpriced_total", rising(1, 60))], NEVER),
    "a process restarts": ([series("llm_cost_total", f"{rising(0.1, 20, 5000)} {rising(0.1, 39)}")], NEVER),
    "Prometheus meets a process that has run for long": (
        [series("llm_cost_total", f"{missing(10)} {rising(0.1, 49, 5000)}")],
        NEVER,
    ),
    "models that are each called once": (
        [series("llm_cost_total", f"{missing(n)} {constant(12, 39 - n)}", llm_model_name=f"m{n}") for n in range(39)],
        {35: [Firing("LLM calls cost 720 USD an hour")]},
    ),
}

SLOW = Firing("chat takes 9750 ms (P95)", {"workflow_name": "chat"})
LATENCY = {
    "slow runs of one of two workflows": (
        [*slow_runs(2, 0, 30), *slow_runs(0, 5, 30, "index")],
        {9: None, 13: [SLOW], 25: [SLOW]},
    ),
    "one slow run in a hundred": (slow_runs(1, 99, 60), NEVER),
    "one slow run": (
        [
            runs("5000", "0x240"),
            runs("10000", "0 1x239"),
            runs("+Inf", "0 1x239"),
            executions("success", "0 1x239", primitive_type="workflow", workflow_name="chat"),
        ],
        NEVER,
    ),
    "idle": (
        [
            runs("5000", "0x240"),
            runs("10000", "90x240"),
            runs("+Inf", "90x240"),
            executions("success", "90x240", primitive_type="workflow", workflow_name="chat"),
        ],
        NEVER,
    ),
    "a slow run now and then": (
        [
            runs("5000", "0x240"),
            runs("10000", " ".join(str(n // 12) for n in range(240))),
            runs("+Inf", " ".join(str(n // 12) for n in range(240))),
            executions(
                "success",
                " ".join(str(n // 12) for n in range(240)),
                primitive_type="workflow",
                workflow_name="chat",
            ),
        ],
        NEVER,
    ),
    "a slow primitive in a fast workflow": (
        [
            series("primitive_execution_duration_bucket", rising(9, 60), le="+Inf", primitive_type="llm"),
            *slow_runs(0, 9, 60),
        ],
        NEVER,
    ),
}

STUCK = Firing("2 workflows are active and nothing has ended for half an hour")
STUCK_WORKFLOWS = {
    "active, and nothing ends": (
        [series("agent_workflows_active", "2x280"), executions("success", f"{rising(9, 10)} {constant(360, 59)}")],
        {20: None, 40: None, 48: [STUCK], 60: [STUCK]},
    ),
    "the first workflow ever never ends": (
        [series("agent_workflows_active", "2x280")],
        {29: None, 32: [STUCK]},
    ),
    "something ends": ([series("agent_workflows_active", "2x240"), executions("success", rising(1, 60))], NEVER),
    "something ends now and then, each time for the first time": (
        [
            series("agent_workflows_active", "2x240"),
            *(
                executions("success", f"{missing(4 * n)} {constant(1, 59 - 4 * n)}", primitive_name=f"p{n}")
                for n in range(14)
            ),
        ],
        NEVER,
    ),
    "nothing active": ([series("agent_workflows_active", "0x240"), executions("success", constant(9, 60))], NEVER),
    "a quarter of an hour of work after a quiet night": (
        [series("agent_workflows_active", "0x100 1x60 0x80"), executions("success", constant(9, 60))],
        NEVER,
    ),
    "the process was killed": (
        [series("agent_workflows_active", f"{constant(2, 10)} {missing(49)}"), executions("success", constant(9, 10))],
        NEVER,
    ),
}

MODEL = {"llm_provider": "acme", "llm_model_name": "new-one"}
UNPRICED = Firing("Calls of new-one have no known price", MODEL)
UNPRICED_CALLS = {
    "the first call, from a pipeline that sends zeros": (
        [series("llm_unpriced_total", "0x40 1x200", **MODEL)],
        {9: None, 13: [UNPRICED], 20: [UNPRICED], 40: None},
    ),
    "the first call, from one that does not": (
        [series("llm_unpriced_total", f"{missing(10)} {constant(1, 49)}", **MODEL)],
        {9: None, 13: [UNPRICED], 20: [UNPRICED], 40: None},
    ),
    "none": ([series("llm_unpriced_total", "0x240", **MODEL)], NEVER),
    "no LLM": ([executions("success", rising(9, 60))], NEVER),
    "calls of yesterday": (
        [series("llm_unpriced_total", "7x280", **MODEL)],
        dict.fromkeys(range(21, 61)),
    ),
    "a process restarts": (
        [series("llm_unpriced_total", f"{constant(7, 30)} {constant(0, 39)}", **MODEL)],
        dict.fromkeys(range(21, 61)),
    ),
}

GONE = Firing("shop reports nothing any more", {"job": "shop"})
MISSING = {
    "a service goes silent while another one goes on": (
        [
            executions("success", f"{rising(9, 20)} {missing(40)}"),
            executions("success", rising(9, 60), job="index"),
        ],
        {10: None, 30: None, 37: [GONE], 60: [GONE]},
    ),
    "idle, but there": ([executions("success", constant(9, 60))], NEVER),
    "never heard of": ([], NEVER),
    "a process restarts": (
        [
            executions("success", f"{rising(9, 20)} {missing(40)}", instance="a"),
            executions("success", f"{missing(22)} {rising(9, 37)}", instance="b"),
        ],
        NEVER,
    ),
    "silent for eight minutes": (
        [executions("success", f"{rising(9, 20)} {missing(8)} {rising(9, 31)}")],
        NEVER,
    ),
    "forgotten after a day": (
        [executions("success", f"{rising(9, 20)} {missing(40)}")],
        {60: [GONE], 24 * 60 + 10: [GONE], 24 * 60 + 35: None},
    ),
}

SCENARIOS = {
    "HighErrorRate": ERROR_RATE,
    "LowCacheHitRate": CACHE,
    "HighLLMCost": COST,
    "HighWorkflowLatency": LATENCY,
    "StuckWorkflows": STUCK_WORKFLOWS,
    "UnpricedLLMCalls": UNPRICED_CALLS,
    "TelemetryMissing": MISSING,
}


@pytest.mark.parametrize(
    ("alert", "scenario"), [(alert, scenario) for alert, found in SCENARIOS.items() for scenario in found]
)
def test_alert_fires_when_it_should_and_only_then(alert, scenario, tmp_path):
    """
    An alert that cries wolf is switched off, one that sleeps is worse than none.
    """
    history, expected = SCENARIOS[alert][scenario]

    check(tmp_path, alert, history, expected)


def test_every_alert_is_played_through():
    """
    A new alert has to be proven like the others.
    """
    assert list(SCENARIOS) == [alert.name for alert in ALERTS]


def test_one_failing_run_fires_nothing(tmp_path):
    """
    Whoever tries the product with one failing run must not be paged.
    """
    labels = {"primitive_type": "workflow", "workflow_name": "chat"}
    history = [
        executions("success", "0 1x239", primitive_name="load", primitive_type="tool", workflow_name="chat"),
        executions("error", "0 1x239", primitive_name="ask", primitive_type="llm", error_type="TimeoutError"),
        executions("error", "0 1x239", primitive_name="chat", error_type="TimeoutError", **labels),
        runs("10000", "0 1x239"),
        runs("+Inf", "0 1x239"),
        series("agent_workflows_active", "0 1 0x238"),
    ]

    for alert in SCENARIOS:
        check(tmp_path, alert, history, NEVER)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_says_how_long_how_bad_and_what_to_do(alert):
    """
    An alert at night is read by someone who has not written it.
    """
    (rule,) = [rule for rule in alerting()["groups"][0]["rules"] if rule.get("alert") == alert.name]

    assert {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"} == set(rule)
    assert rule["labels"]["severity"] in ("warning", "info")
    assert all(len(rule["annotations"][key]) > 10 for key in ("summary", "description", "runbook", "dashboard"))


def test_aliases_give_suffixed_series_our_names(tmp_path):
    """
    Four of seven metrics arrive under other names from pipelines with defaults: half a dashboard looks alive.
    """
    history = [
        series("primitive_execution_count_total", "0+3x40"),
        series("cache_hits_total", "0+2x40"),
        series("primitive_connection_count_total", "0+1x40"),
        series("primitive_execution_duration_milliseconds_bucket", "0+3x40", le="+Inf"),
    ]
    expected = {
        "primitive_execution_count": ('primitive_execution_count{job="shop"}', 120),
        "cache_hits": ('cache_hits{job="shop"}', 80),
        "primitive_connection_count": ('primitive_connection_count{job="shop"}', 40),
        "primitive_execution_duration_bucket": ('primitive_execution_duration_bucket{job="shop",le="+Inf"}', 120),
    }
    tests = [
        {"expr": name, "eval_time": "10m", "exp_samples": [{"labels": labels, "value": value}]}
        for name, (labels, value) in expected.items()
    ]

    play(
        tmp_path,
        "prometheus/rules/optional/tta_aliases.yml",
        {"interval": "15s", "input_series": history, "promql_expr_test": tests},
    )
