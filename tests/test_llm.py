"""What LLM calls used and cost."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tta_observe import (
    ConfigurationError,
    Price,
    primitive,
    record_llm_tokens,
    record_llm_usage,
    step,
    workflow,
)
from tta_observe.instruments import LLM_COST, LLM_TOKENS, LLM_UNPRICED
from tta_observe.testing import captured_telemetry


@pytest.fixture(name="telemetry")
def _telemetry():
    with captured_telemetry(prices={"m": Price(1.0, 2.0, 0.5)}) as telemetry:
        yield telemetry


def test_usage_stands_on_the_span_of_the_llm_primitive(telemetry):
    """
    One span per call is what billing views of other backends expect.
    """
    with primitive("ask", type="llm"):
        usage = record_llm_usage(provider="p", model="m", prompt_tokens=1000, completion_tokens=500)

    assert ["ask"] == [span.shown for span in telemetry.spans]
    assert ("priced", 0.002, 1500) == (usage.cost_status, usage.cost_usd, usage.total_tokens)
    assert 0.002 == telemetry.span("ask").attributes["llm.cost_usd"]


def test_several_usages_add_up(telemetry):
    """
    A retry inside one primitive was paid for twice.
    """
    with primitive("ask", type="llm"):
        record_llm_usage(provider="p", model="m", prompt_tokens=1000, completion_tokens=500)
        record_llm_usage(provider="q", model="unknown", prompt_tokens=10)
    attributes = telemetry.span("ask").attributes

    assert (1010, 500, 1510) == tuple(
        attributes[f"llm.{name}"] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    assert ("q", "unknown") == (attributes["llm.provider"], attributes["llm.model_name"])
    assert "unpriced" == attributes["llm.cost_status"]
    assert {"m": 1500, "unknown": 10} == telemetry.counts(LLM_TOKENS, by="llm.model_name")


@pytest.mark.parametrize("type_", ["tool", "agent", "function"])
def test_elsewhere_usage_gets_a_span_of_its_own(telemetry, type_):
    """
    A tool span with tokens would be billed as a generation by other backends.
    """
    with workflow("w"), primitive("helper", type=type_):
        record_llm_usage(provider="p", model="m", prompt_tokens=10, completion_tokens=1)
    usage = telemetry.span("primitive.llm.usage")

    assert "llm.prompt_tokens" not in telemetry.span("primitive." + type_ + ".execute").attributes
    assert ("CLIENT", "LLM", "helper", "w") == (
        usage.span.kind.name,
        usage.attributes["openinference.span.kind"],
        usage.attributes["primitive.name"],
        usage.attributes["workflow.name"],
    )
    assert [{"w": [{"helper": ["primitive.llm.usage"]}]}] == telemetry.tree()


def test_a_step_inside_the_llm_primitive_is_still_its_call(telemetry):
    """
    Steps are transparent.
    """
    with primitive("ask", type="llm"), step("parse"):
        record_llm_usage(model="m", prompt_tokens=10)

    assert 10 == telemetry.span("ask").attributes["llm.prompt_tokens"]
    assert "llm.prompt_tokens" not in telemetry.span("parse").attributes


def test_outside_any_span_only_the_metrics_are_recorded(telemetry):
    """
    A script without any workflow still sees its bill.
    """
    record_llm_usage(provider="p", model="m", prompt_tokens=10)

    assert () == telemetry.spans
    assert 10 == telemetry.total(LLM_TOKENS)


def test_provider_and_model_come_from_the_context(telemetry):
    """
    Said once for the workflow.
    """
    with workflow("w", llm_provider="p", llm_model_name="m", agent_type="a"):
        usage = record_llm_usage(prompt_tokens=10, completion_tokens=1)
    labels = {
        "llm.provider": "p",
        "llm.model_name": "m",
        "llm.token_type": "prompt",
        "primitive.name": "w",
        "workflow.name": "w",
        "agent.type": "a",
    }

    assert ("p", "m") == (usage.provider, usage.model)
    assert 10 == telemetry.total(LLM_TOKENS, labels)


def test_cached_tokens_are_part_of_the_input(telemetry):
    """
    Counting them twice is the field's favourite mistake.
    """
    usage = record_llm_usage(model="m", prompt_tokens=1000, cached_tokens=400, completion_tokens=0)

    assert (600 * 1.0 + 400 * 0.5) / 1e6 == pytest.approx(usage.cost_usd)
    assert 1000 == telemetry.total(LLM_TOKENS)


def test_an_unknown_price_is_counted_and_said_once(telemetry, caplog):
    """
    Never 0: $1.16 shown for a real bill of $185 is worse than no figure.
    """
    usages = [record_llm_usage(provider="p", model="new", prompt_tokens=10) for _ in range(3)]

    assert {("unpriced", None)} == {(usage.cost_status, usage.cost_usd) for usage in usages}
    assert 3 == telemetry.total(LLM_UNPRICED, {"llm.provider": "p", "llm.model_name": "new"})
    assert [] == telemetry.points(LLM_COST)
    assert 1 == caplog.text.count("no price is known for model 'new'")


def test_no_usage_is_neither_priced_nor_unpriced(telemetry):
    """
    A provider that reports nothing is told from a model without a price.
    """
    with primitive("ask", type="llm"):
        usage = record_llm_usage(model="m")

    assert "no_usage" == usage.cost_status == telemetry.span("ask").attributes["llm.cost_status"]
    assert [] == telemetry.points(LLM_UNPRICED) + telemetry.points(LLM_TOKENS)


def test_a_cost_that_is_given_wins(telemetry):
    """
    Who has the invoice knows better than any table.
    """
    usage = record_llm_usage(model="m", prompt_tokens=10, cost_usd=7.5)

    assert (7.5, "priced") == (usage.cost_usd, usage.cost_status)
    assert 7.5 == telemetry.total(LLM_COST)


@pytest.mark.parametrize("bad", ["x", -1, float("nan"), float("inf"), 2**70, 10**400, True, 1.5, object()])
def test_a_number_that_is_none_is_left_out(telemetry, caplog, bad):
    """
    It neither raises into the host nor stops the metrics; the rest of the call counts.
    """
    usage = record_llm_usage(model="m", prompt_tokens=bad, completion_tokens=3)

    assert (None, 3) == (usage.prompt_tokens, usage.completion_tokens)
    assert {"completion": 3} == telemetry.counts(LLM_TOKENS, by="llm.token_type")
    assert "prompt_tokens was not recorded" in caplog.text


def test_record_llm_tokens_is_the_metric_alone(telemetry):
    """
    For code that keeps its own books.
    """
    with workflow("w"):
        record_llm_tokens("p", "m", "completion", 12)

    assert 12 == telemetry.total(LLM_TOKENS, {"llm.token_type": "completion", "workflow.name": "w"})
    assert 0 == telemetry.span("w").attributes["workflow.llm_calls"]


def test_token_type_is_one_of_two():
    """
    A third one would be missing from every panel.
    """
    with pytest.raises(ConfigurationError, match="prompt, completion"):
        record_llm_tokens("p", "m", "cached", 1)


def test_unknown_option_is_refused():
    """
    ``input_tokens`` is another SDK's name.
    """
    with pytest.raises(ConfigurationError, match="has no option 'prompt_token'"):
        record_llm_usage(prompt_token=3)


def test_totals_are_exact_under_threads_and_tasks(telemetry):
    """
    Money is added from wherever the calls were made.
    """

    def call(_):
        record_llm_usage(model="m", prompt_tokens=1_000_000, completion_tokens=0)

    async def main():
        import contextvars

        with workflow("w"), primitive("ask", type="llm"), ThreadPoolExecutor(8) as pool:
            contexts = [contextvars.copy_context() for _ in range(200)]
            list(pool.map(lambda c: c.run(call, None), contexts))
            await asyncio.gather(*(asyncio.to_thread(call, None) for _ in range(200)))

    asyncio.run(main())

    assert 400.0 == telemetry.span("workflow.w.execute").attributes["workflow.cost_usd"]
    assert 400_000_000 == telemetry.span("ask").attributes["llm.prompt_tokens"]
    assert 400.0 == telemetry.total(LLM_COST)


def test_without_telemetry_the_usage_comes_back_all_the_same():
    """
    Code may rely on the result.
    """
    usage = record_llm_usage(provider="p", model="m", prompt_tokens=1, completion_tokens=2)

    assert ("p", "m", 3) == (usage.provider, usage.model, usage.total_tokens)
