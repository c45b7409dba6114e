"""Our own ``/metrics``: the exact names, every series born at zero, and an HTTP server that is in nobody's way."""

from __future__ import annotations

import http.client
import json
import logging
import math
import re
import shutil
import socket
import subprocess
import threading
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from programs import LAST_LINE, clean, run
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

import tta_observe
from tta_observe import configure, semconv
from tta_observe._pipeline.scrape import Endpoint
from tta_observe._pipeline.scrape.exposition import label_name, metric_name
from tta_observe._pipeline.scrape.held import INTERVAL_S, JITTER_S, HeldAtZero
from tta_observe._pipeline.scrape.server import MOST_CONNECTIONS, PATH
from tta_observe.instruments import (
    ACTIVE_WORKFLOWS,
    EXECUTION_DURATION,
    EXECUTIONS,
    INSTRUMENTS,
    LLM_COST,
)

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PARSERS = {TEXT: parse_text, OPENMETRICS: parse_openmetrics, PROMETHEUS_2: parse_openmetrics}
ROOT = Path(__file__).parent.parent


class Scraped:
    """A page, taken apart by prometheus_client's own parser."""

    def __init__(self, text, parse):
        self.text = text
        self.families = {family.name: family for family in parse(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    @property
    def names(self):
        return {sample.name for sample in self.samples}

    def values(self, name, **labels):
        """Values of all series of *name* that carry *labels*."""
        return [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]

    def series(self):
        """Labels to value, of everything that was measured."""
        found = {(s.name, *sorted(s.labels.items())): s.value for s in self.samples if s.name != "target_info"}
        assert len(found) == len([s for s in self.samples if s.name != "target_info"]), "a series was shown twice"
        return found


class Metered:
    """All ten instruments on a real provider behind an endpoint whose clock the test holds."""

    def __init__(self, resource=None, views=()):
        self.now_s = 1000.0
        self.endpoint = Endpoint("127.0.0.1", 0, semconv.SCOPE, lambda: self.now_s)
        self.tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        self.provider = MeterProvider(
            [self.endpoint.with_reader()], Resource(resource or {}), shutdown_on_exit=False, views=views
        )
        self.meter = self.provider.get_meter(semconv.SCOPE)
        self.record = {spec.name: record_function(self.meter, spec) for spec in INSTRUMENTS}

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.endpoint.stop(0)

    def everything(self, value=1):
        """Record on each instrument, once."""
        for spec in INSTRUMENTS:
            self.record[spec.name](value, {label: f"a {label}" for label in spec.labels})

    def scrape(self, accept=OPENMETRICS, *, arrives=True):
        """What a scraper sees now; *arrives*: the answer reaches it."""
        page = self.endpoint.scrape(accept)
        if arrives:
            page.arrived()
        return Scraped(page.body.decode(), PARSERS.get(accept, parse_text))

    def settled(self, accept=OPENMETRICS):
        """What a scraper sees once nothing is held at zero any more."""
        self.scrape()
        self.now_s += 2 * INTERVAL_S
        return self.scrape(accept)


def record_function(meter, spec):
    if spec.kind == "histogram":
        return meter.create_histogram(
            spec.name, spec.unit, spec.description, explicit_bucket_boundaries_advisory=spec.buckets
        ).record
    create = meter.create_counter if spec.kind == "counter" else meter.create_up_down_counter
    return create(spec.name, spec.unit, spec.description).add


@pytest.fixture(name="metered")
def _metered():
    with Metered() as metered:
        yield metered


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    """Nothing from outside decides, nothing stays behind."""
    clean(monkeypatch, tmp_path)
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
    yield
    tta_observe.shutdown(0.5)


def call(name="fetch"):
    with tta_observe.primitive(name):
        pass


def target():
    """Address of the page of this process."""
    return next(row.target for row in tta_observe.stats().exporters if row.exporter == "prometheus")


def request(path=PATH, method="GET", body=None, **headers):
    """Status, headers and text of one answer."""
    host = urlsplit(target())
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


@contextmanager
def connections(count, sent=b""):
    """Clients that connect, send *sent* and then do nothing, not even read."""
    address = urlsplit(target())
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(5)
            client.connect((address.hostname, address.port))
            client.sendall(sent)
        yield


def eventually(found, enough, timeout_s=20):
    """What *found* returns once *enough* likes it, or in the end."""
    deadline = time.monotonic() + timeout_s
    while not enough(last := found()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return last


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tta-observe")]


# What is shown


@pytest.mark.parametrize("accept", PARSERS)
def test_names_are_dots_to_underscores_and_nothing_added(metered, accept):
    """
    One suffix more, and four of the seven metrics are missing from every dashboard, without an error anywhere.
    """
    metered.everything()
    expected = {spec.prometheus_name for spec in INSTRUMENTS} - {EXECUTION_DURATION.prometheus_name}
    expected |= {f"{EXECUTION_DURATION.prometheus_name}_{part}" for part in ("bucket", "count", "sum")}

    assert expected | {"target_info"} == metered.settled(accept).names


@pytest.mark.parametrize("accept", PARSERS)
def test_types_are_kept_where_a_type_does_not_rename(metered, accept):
    """
    Tools choose functions by the type; a counter that is not called ``_total`` has none rather than a wrong name.
    """
    metered.everything()
    types = {name: family.type for name, family in metered.scrape(accept).families.items()}

    assert {"counter", "unknown", "gauge", "histogram"} == {
        types[name] for name in types if not name.startswith("target")
    }
    assert [
        "unknown" if spec.kind == "counter" and not spec.name.endswith(".total") else spec.kind.split("_")[-1]
        for spec in INSTRUMENTS
        if spec is not ACTIVE_WORKFLOWS
    ] == [types[spec.prometheus_name.removesuffix("_total")] for spec in INSTRUMENTS if spec is not ACTIVE_WORKFLOWS]
    assert "gauge" == types[ACTIVE_WORKFLOWS.prometheus_name]


def test_help_says_what_is_measured_and_in_which_unit(metered):
    """
    The unit cannot stand in the name, and milliseconds that are taken for seconds wake somebody up.
    """
    metered.everything()
    families = metered.scrape().families

    assert f"{EXECUTION_DURATION.description} Unit: ms." == families["primitive_execution_duration"].documentation
    assert "Estimated cost of priced LLM calls. Unit: USD." == families["llm_cost"].documentation
    assert {""} == {family.unit for family in families.values()}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html,application/xhtml+xml", "text/plain; version=0.0.4"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text;version=abc", ""),
        ("application/openmetrics-text;;=;version", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_format_is_the_one_that_is_asked_for(metered, accept, content_type):
    """
    Prometheus wants OpenMetrics for the exemplars, people and older tools want plain text; nonsense gets either.
    """
    page = metered.endpoint.scrape(accept)

    assert page.content_type.startswith(content_type)
    assert page.body.endswith(b"# EOF\n") == ("openmetrics" in page.content_type)


def test_resource_stands_in_target_info():
    """
    Which version of which service measured this is joined from there.
    """
    resource = {"service.name": "shop", "service.version": "1.4", "ports": (1, 2), "x.y": "a", "x_y": "b", "on": True}
    with Metered(resource) as metered:
        metered.everything()
        found = next(sample.labels for sample in metered.scrape().samples if sample.name == "target_info")

    expected = {"service_name": "shop", "service_version": "1.4", "ports": "[1, 2]", "x_y": "a;b", "on": "true"}

    assert expected == found


def test_metrics_of_other_scopes_are_left_out(metered):
    """
    The application exports its own metrics; from us they would come a second time, under other names.
    """
    metered.provider.get_meter("theirs").create_counter("their.count").add(1)

    assert set() == metered.scrape().names


@given(
    st.lists(
        st.tuples(
            st.sampled_from(INSTRUMENTS),
            st.integers(0, 2**40) | st.integers(0, 2**20).map(lambda quarters: quarters / 4),  # sums without rounding
            st.sampled_from("abc"),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.sampled_from([TEXT, OPENMETRICS]),
)
def test_after_the_interval_the_page_equals_what_the_sdk_holds(measurements, accept):
    """
    Whatever is measured, and whenever somebody scrapes in between: no figure is lost, doubled or rounded.
    """
    with Metered() as metered:
        witness = InMemoryMetricReader()
        other = MeterProvider([witness], shutdown_on_exit=False).get_meter(semconv.SCOPE)
        recorders = {spec.name: record_function(other, spec) for spec in INSTRUMENTS}
        for spec, value, label, scraped in measurements:
            attributes = {spec.labels[0]: label, spec.labels[1]: "same"}
            metered.record[spec.name](value, attributes)
            recorders[spec.name](value, attributes)
            if scraped:
                metered.scrape()

        assert held(witness) == metered.settled(accept).series()


def held(reader):
    """What the SDK holds, as Prometheus would write it down."""
    data = reader.get_metrics_data()
    found = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
        name = metric.name.replace(".", "_")
        for point in metric.data.data_points:
            labels = {key.replace(".", "_"): value for key, value in point.attributes.items()}
            found |= dict(point_series(name, point, labels))
    return found


def point_series(name, point, labels):
    if not hasattr(point, "bucket_counts"):
        yield (name, *sorted(labels.items())), point.value
        return
    bounds = (*(str(float(bound)) for bound in point.explicit_bounds), "+Inf")
    for bound, count in zip(bounds, accumulate(point.bucket_counts), strict=True):
        yield (f"{name}_bucket", *sorted({**labels, "le": bound}.items())), count
    yield (f"{name}_count", *sorted(labels.items())), point.count
    yield (f"{name}_sum", *sorted(labels.items())), point.sum


# Names and values that nobody expects


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=4))
@example({"le": "x", "__name__": "x", "9": "x", "a.b": "x", "a_b": "y", "quantile": "x"})
@example({"value": 'quote " backslash \\ newline \n carriage \r null \0 brace } # comment'})
@example({"surrogate": "\ud800"})
def test_no_attribute_breaks_the_page(attributes):
    """
    One name with a quote in it must not take all metrics of the process away.
    """
    with Metered(resource=None) as metered:
        metered.record[EXECUTIONS.name](1, attributes)
        metered.record[EXECUTION_DURATION.name](1, attributes)
        pages = [metered.settled(accept) for accept in (TEXT, OPENMETRICS)]
    found = [next(s.labels for s in page.samples if s.name == EXECUTIONS.prometheus_name) for page in pages]

    assert found[0] == found[1]
    assert all(re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", name) for name in found[0])
    assert sorted(";".join(found[0].values())) == sorted(";".join(valid(v) for v in attributes.values()))


def valid(text):
    return text.encode("utf-8", "replace").decode("utf-8")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("primitive.name", "primitive_name"),
        ("grün", "gr_n"),
        ("9lives", "key_9lives"),
        ("__name__", "key___name__"),
        ("..", "key___"),
        ("le", "key_le"),
        ("", "key_"),
        ("_private", "_private"),
    ],
)
def test_label_names_are_made_valid_and_never_those_of_prometheus(key, name):
    """
    ``__name__`` as a label would be the name of another metric, ``le`` another bucket.
    """
    assert name == label_name(key)


def test_metric_names_are_made_valid():
    """
    A view of the application may call our metrics what it likes.
    """
    assert ["a_b_c", "_9a", "a_b"] == [metric_name(name) for name in ("a.b/c", "9a", "a:b")]


def test_two_metrics_of_one_name_are_one_family():
    """
    A family that comes twice makes Prometheus refuse the page.
    """
    views = [View(instrument_name="their.own", name="primitive.execution.count")]
    with Metered(views=views) as metered:
        metered.record[EXECUTIONS.name](2, {"a": "ours"})
        metered.meter.create_counter("their.own").add(1, {"a": "theirs"})

        assert [2] == metered.settled().values("primitive_execution_count")


def test_histogram_that_the_application_made_exponential_keeps_count_and_sum():
    """
    Neither format knows its buckets; throughput and averages are better than a gap.
    """
    views = [View(instrument_name=EXECUTION_DURATION.name, aggregation=ExponentialBucketHistogramAggregation())]
    with Metered(views=views) as metered:
        metered.record[EXECUTION_DURATION.name](5, {"a": "x"})
        metered.record[EXECUTION_DURATION.name](7, {"a": "x"})
        found = metered.settled().series()
    name = EXECUTION_DURATION.prometheus_name

    assert {
        (f"{name}_bucket", ("a", "x"), ("le", "+Inf")): 2,
        (f"{name}_count", ("a", "x")): 2,
        (f"{name}_sum", ("a", "x")): 12,
    } == found


# Exemplars


def exemplars(scraped):
    return [(s.name, s.labels.get("le"), s.exemplar) for s in scraped.samples if s.exemplar is not None]


def test_exemplars_lead_from_a_bucket_or_a_total_to_the_trace(metered):
    """
    From the slow bucket to the slow trace in one click.
    """
    with metered.tracer.start_as_current_span("work") as span:
        metered.record[EXECUTION_DURATION.name](7, {"a": "x"})
        metered.record[LLM_COST.name](0.5, {"a": "x"})
        metered.record[EXECUTIONS.name](1, {"a": "x"})
        metered.record[ACTIVE_WORKFLOWS.name](1, {"a": "x"})
    found = exemplars(metered.settled())
    ids = {
        "trace_id": f"{span.get_span_context().trace_id:032x}",
        "span_id": f"{span.get_span_context().span_id:016x}",
    }

    assert [("llm_cost_total", None, 0.5), ("primitive_execution_duration_bucket", "10.0", 7)] == sorted(
        (name, bound, exemplar.value) for name, bound, exemplar in found
    )
    assert [ids, ids] == [exemplar.labels for *_, exemplar in found]
    assert all(sum(len(k) + len(v) for k, v in one.labels.items()) <= 128 for *_, one in found)
    assert all(abs(float(one.timestamp) - time.time()) < 60 for *_, one in found)


def test_exemplars_of_what_is_held_at_zero_are_shown_with_it_and_to_every_scraper(metered):
    """
    Collecting takes them out of the SDK: the first failure's trace must still be there when its count is shown.
    """
    with metered.tracer.start_as_current_span("work"):
        metered.record[LLM_COST.name](0.5, {"a": "x"})
    first = metered.scrape()
    second = metered.scrape()
    metered.now_s += INTERVAL_S

    assert [[], [], 1, 1] == [exemplars(first), exemplars(second), *(len(exemplars(metered.scrape())) for _ in "ab")]


@given(st.lists(st.floats(0, 20_000), min_size=1, max_size=20))
def test_exemplar_lies_within_its_bucket_and_is_the_latest_of_it(values):
    """
    OpenMetrics demands the one; people who look for the latest outage want the other.
    """
    with Metered() as metered:
        for value in values:
            with metered.tracer.start_as_current_span("work"):
                metered.record[EXECUTION_DURATION.name](value)
        found = exemplars(metered.settled())
    bounds = [*EXECUTION_DURATION.buckets, math.inf]
    latest = {bounds[bisect_left(EXECUTION_DURATION.buckets, value)]: value for value in values}

    assert latest == {float(bound): exemplar.value for _, bound, exemplar in found}


def test_gauge_that_is_called_total_has_no_exemplars(metered):
    """
    OpenMetrics allows none there, and the whole page would be refused for it.
    """
    with metered.tracer.start_as_current_span("work"):
        metered.meter.create_up_down_counter("balance.total").add(1)
        metered.record[LLM_COST.name](1)
    page = metered.settled()

    assert ["llm_cost_total"] == [name for name, *_ in exemplars(page)]
    assert [1] == page.values("balance_total")


def test_plain_text_has_no_exemplars_and_measurements_outside_a_span_have_none(metered):
    """
    Plain text has no place for them, and a link to no trace is worse than no link.
    """
    metered.record[LLM_COST.name](0.5)
    with metered.tracer.start_as_current_span("work"):
        metered.record[EXECUTION_DURATION.name](7)
    metered.settled()

    assert [("primitive_execution_duration_bucket", "10.0")] == [found[:2] for found in exemplars(metered.scrape())]
    assert " # {" not in metered.scrape(TEXT).text


# Born at zero


def test_new_series_is_zero_in_all_its_parts_until_it_was_seen_for_an_interval(metered):
    """
    ``rate()`` knows a first error only when it saw the series without one.
    """
    metered.record[EXECUTIONS.name](3, {"a": "x"})
    metered.record[EXECUTION_DURATION.name](7, {"a": "x"})
    first = metered.scrape()
    metered.now_s += INTERVAL_S - 2 * JITTER_S
    second = metered.scrape()
    metered.now_s += 2 * JITTER_S
    third = metered.scrape()

    assert {0} == set(first.series().values()) == set(second.series().values())
    assert first.series().keys() == third.series().keys()
    assert [3] == third.values("primitive_execution_count")
    assert [1, 7] == [
        *third.values("primitive_execution_duration_count"),
        *third.values("primitive_execution_duration_sum"),
    ]


def test_what_is_counted_while_held_is_shown_afterwards_at_once(metered):
    """
    The zero only comes first; nothing that was counted in the meantime is missing.
    """
    shown = []
    for _ in range(20):
        metered.record[EXECUTIONS.name](1)
        shown += metered.scrape().values("primitive_execution_count")
        metered.now_s += 1

    assert [0] * 15 + [16, 17, 18, 19, 20] == shown


def test_gauge_is_shown_as_it_is(metered):
    """
    What goes up and down has no birth; a zero would hide a workflow that runs now.
    """
    metered.record[ACTIVE_WORKFLOWS.name](2)

    assert [2] == metered.scrape().values("agent_workflows_active")


def test_series_that_has_been_shown_never_goes_back_to_zero(metered):
    """
    It would be a counter reset, and everything counted so far would count again.
    """
    metered.record[EXECUTIONS.name](5, {"a": "old"})
    metered.settled()
    metered.record[EXECUTIONS.name](1, {"a": "new"})
    newcomer = metered.scrape()

    assert ([5], [0]) == tuple(newcomer.values("primitive_execution_count", a=age) for age in ("old", "new"))


def test_answer_that_did_not_arrive_does_not_count(metered):
    """
    Scrapes time out in just those minutes in which a system is in trouble.
    """
    metered.record[EXECUTIONS.name](1)
    lost = [metered.scrape(arrives=False).values("primitive_execution_count")]
    metered.now_s += 100
    seen = metered.scrape().values("primitive_execution_count")
    metered.now_s += INTERVAL_S

    assert ([[0]], [0], [1]) == (lost, seen, metered.scrape().values("primitive_execution_count"))


def test_client_that_went_away_did_not_see_the_zero():
    """
    A Prometheus whose scrape timed out half way throws away what it has read.
    """
    endpoint = configure(exporter="prometheus")._pipeline.lanes[0]
    clock = [1000.0]
    endpoint._clock = lambda: clock[0]
    record_megabytes()
    with connections(1, b"GET /metrics HTTP/1.1\r\n\r\n"):
        time.sleep(0.5)
    clock[0] += 100
    shown = []
    for _ in range(2):
        shown.append(set(Scraped(request()[2], parse_text).values("primitive_execution_count")))
        clock[0] += INTERVAL_S

    assert [{0}, {1}] == shown


@given(
    first=st.floats(0, INTERVAL_S),
    jitters=st.lists(st.floats(-JITTER_S / 2, JITTER_S / 2), min_size=4, max_size=4),
)
@example(first=0, jitters=[0.1, -0.1, 0.1, -0.1])
def test_one_scraper_sees_one_zero_and_then_the_number(first, jitters):
    """
    A third scrape of zeros would keep the error of a program that ran for half a minute from ever being seen.
    """
    scrapes = [first + number * INTERVAL_S + jitter for number, jitter in enumerate(jitters)]

    assert [True, False, False, False] == shown_at_zero(scrapes)
    assert [True, False, False] == shown_at_zero(scrapes, born_s=scrapes[0] + 0.01)


@given(
    born_s=st.floats(60, 90),
    scrapers=st.lists(
        st.tuples(
            st.floats(0, INTERVAL_S),
            st.floats(1, INTERVAL_S),
            st.lists(st.floats(-JITTER_S / 2, JITTER_S / 2), min_size=200, max_size=200),
        ),
        min_size=1,
        max_size=3,
    ),
    by_hand=st.lists(st.floats(0, 150), max_size=5),
)
def test_every_scraper_of_the_interval_sees_the_zero_whoever_else_scrapes(born_s, scrapers, by_hand):
    """
    High availability is two scrapers, and people look with curl: nobody may take the zero from another.
    """
    known = [
        [phase + number * interval + jitter for number, jitter in enumerate(jitters) if number * interval < 140]
        for phase, interval, jitters in scrapers
    ]
    every = sorted({*by_hand, *(when for times in known for when in times)})
    shown = dict(zip([when for when in every if when > born_s], shown_at_zero(every, born_s), strict=True))

    assert all(shown[min(when for when in times if when > born_s)] for times in known)
    assert all(not later or earlier for earlier, later in pairwise(shown.values()))
    assert not any(zero for when, zero in shown.items() if when > born_s + 3 * INTERVAL_S)


def test_scraper_that_came_just_before_a_birth_is_waited_for():
    """
    One scraper comes at 0 and 14.95, the other at 0.1: for the other the interval is nearly over, the one saw nothing.
    """
    assert [True, True, False] == shown_at_zero([0, 0.1, 14.95, 29.9], born_s=0.05)
    assert [True, False, False] == shown_at_zero([-8, 0.1, 14.95, 29.9], born_s=0.05)


def shown_at_zero(scrapes, born_s=-math.inf):
    """For every scrape after the birth of a series, whether it showed it as zero."""
    held_at_zero, found = HeldAtZero(), []
    for now_s in scrapes:
        new = [1] if now_s > born_s and held_at_zero.is_new(1) else []
        if now_s > born_s:
            found.append(held_at_zero.holds(1, now_s))
        held_at_zero.arrived(new, now_s)
    return found


# The server


def test_port_is_chosen_where_none_is_given_and_the_real_one_is_told():
    """
    Several programs of one machine are measured at once; whoever looks must find each.
    """
    configure(exporter="prometheus")
    call()
    status, headers, text = request()

    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+/metrics", target())
    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (status, headers["Content-Type"])
    assert {"primitive_execution_count", "target_info"} <= Scraped(text, parse_text).names
    assert tta_observe.flush()


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost", "0.0.0.0"])
def test_any_address_of_this_machine_will_do(monkeypatch, host):
    """
    Containers are scraped from outside, and some machines speak IPv6 alone.
    """
    if ":" in host and not has_ipv6():
        pytest.skip("needs IPv6")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", host)
    configure(exporter="prometheus")
    call()

    assert 200 == request()[0]
    assert {"::1": "[::1]", "localhost": "127.0.0.1"}.get(host, host) in target()


def test_name_of_both_kinds_is_that_of_ipv4(monkeypatch):
    """
    Where ``localhost`` is ``::1`` first, the scrape configuration that everybody copies says 127.0.0.1 all the same.
    """
    kinds = [(socket.AF_INET6, ("::1", 0, 0, 0)), (socket.AF_INET, ("127.0.0.1", 0))]
    both = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in kinds]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: both)
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "localhost")
    configure(exporter="prometheus")

    assert target().startswith("http://127.0.0.1:")


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/metrics/", "/metricsx", "/%00"])
def test_other_paths_are_not_found_and_say_where_to_look(path):
    """
    The first thing that people try is the bare address.
    """
    configure(exporter="prometheus")
    status, _, text = request(path)

    assert (404, "404 Not Found. The metrics are here: GET /metrics\n") == (status, text)


def test_query_is_ignored():
    """
    Scrape configurations may carry parameters that are meant for others.
    """
    configure(exporter="prometheus")

    assert 200 == request("/metrics?name[]=x&debug=1")[0]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"])
def test_other_methods_are_refused_in_one_line(method):
    """
    Security scanners try all of them; nothing but reading is possible here.
    """
    configure(exporter="prometheus")
    status, _, text = request(method=method, body=b"x" * 100)

    assert 501 == status
    assert 1 == text.count("\n")
    assert "GET /metrics" in text


def test_head_looks_without_scraping(monkeypatch):
    """
    A health check must not take the zero from the scraper.
    """
    endpoint = configure(exporter="prometheus")._pipeline.lanes[0]
    call()
    looked = [request(path, "HEAD")[::2] for path in ("/metrics", "/")]
    monkeypatch.setattr(endpoint, "_clock", lambda: time.monotonic() + 2 * INTERVAL_S)

    assert [(200, ""), (404, "")] == looked
    assert [0] == Scraped(request()[2], parse_text).values("primitive_execution_count")


@pytest.mark.swallowed
def test_failing_scrape_is_one_line_to_the_scraper_and_the_next_one_works(monkeypatch, capfd, caplog):
    """
    A failure of ours is neither the program's nor a reason to be silent for good.
    """
    telemetry = configure(exporter="prometheus")
    call()
    reader = telemetry._pipeline.lanes[0].reader
    with monkeypatch.context() as broken:
        broken.setattr(reader, "take", lambda: 1 / 0)
        found = [request() for _ in range(2)]

    assert [(500, 1)] * 2 == [(status, text.count("\n")) for status, _, text in found]
    assert "could not be collected" in found[0][2]
    assert ("", "") == capfd.readouterr()
    assert 1 == len([record for record in caplog.records if record.levelno >= logging.WARNING])
    assert 2 == tta_observe.stats().exporters[0].requests_failed
    assert 200 == request()[0]


def test_nothing_is_written_on_standard_error(capfd, caplog):
    """
    An access log of every scrape, or a traceback for each client that went away, would bury the program's own words.
    """
    configure(exporter="prometheus")
    call()
    with connections(1, b"GET /metrics HTTP/1.1\r\n\r\n"), connections(1, b"\x16\x03\x01 nonsense\r\n\r\n"):
        pass  # gone before the answer
    for _ in range(3):
        request()
    tta_observe.shutdown()

    assert ("", "") == capfd.readouterr()
    assert [] == caplog.records


@pytest.mark.parametrize("sent", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_clients_that_do_nothing_do_not_keep_a_scrape_out(sent):
    """
    Anyone on the machine can connect; threads without end would be worse than no metrics.
    """
    configure(exporter="prometheus")
    call()
    before = threading.active_count()
    with connections(2 * MOST_CONNECTIONS, sent):
        begun = time.monotonic()
        status, took_s = request()[0], time.monotonic() - begun
        more = eventually(lambda: threading.active_count() - before, lambda count: count <= MOST_CONNECTIONS)

    assert 200 == status
    assert took_s < 2
    assert MOST_CONNECTIONS - 2 <= more <= MOST_CONNECTIONS


def record_megabytes():
    """Measure what makes a page that no buffer between two programs holds."""
    for number in range(200):
        for kind in range(5):
            tta_observe.record_execution(f"p{number}" + "x" * 2000, "tool", 1, "success", agent_type=f"{kind}" * 50)


def test_client_that_reads_slowly_does_not_keep_a_scrape_out():
    """
    A page of a busy process has megabytes, more than fits into the buffers in between.
    """
    configure(exporter="prometheus")
    record_megabytes()
    with connections(3, b"GET /metrics HTTP/1.1\r\n\r\n"):
        time.sleep(0.2)
        begun = time.monotonic()
        status, _, text = request()

        assert 200 == status
        assert len(text) > 8_000_000
        assert time.monotonic() - begun < 3


def test_scrapes_at_once_are_all_answered_one_after_the_other(monkeypatch):
    """
    A collection that is taken by another's scrape would leave a page half empty.
    """
    telemetry = configure(exporter="prometheus")
    call()
    reader = telemetry._pipeline.lanes[0].reader
    take, inside, most = reader.take, [], []

    def watched():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        try:
            return take()
        finally:
            inside.pop()

    monkeypatch.setattr(reader, "take", watched)
    with ThreadPoolExecutor(8) as pool:
        pages = [made.result() for made in [pool.submit(request) for _ in range(16)]]

    assert ({200}, {1}) == ({status for status, *_ in pages}, set(most))
    assert 1 == len({text for *_, text in pages})


def test_scrape_is_not_observed_itself(monkeypatch):
    """
    What the application's callbacks do while we collect would become spans of its instrumentation, every 15 s.
    """
    telemetry = configure(exporter="prometheus")
    seen = []
    monkeypatch.setattr(
        telemetry._pipeline.lanes[0].reader,
        "take",
        lambda: seen.append(otel_context.get_value("suppress_instrumentation")),
    )
    request()

    assert [True] == seen
    assert otel_context.get_value("suppress_instrumentation") is None


def test_page_is_empty_before_anything_was_measured():
    """
    Prometheus comes before the first request does; an empty page is a target that is up.
    """
    configure(exporter="prometheus")

    assert (200, "") == request()[::2]
    assert "# EOF\n" == request(Accept=OPENMETRICS)[2]


def test_shutdown_frees_the_port_at_once_whoever_is_connected(monkeypatch, capfd):
    """
    Test suites and reloading servers configure again a moment later, on the same port.
    """
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(free_port()))
    before = threading.active_count()
    for _ in range(3):
        configure(exporter="prometheus")
        call()
        with connections(2, b"GET /metr"):
            begun = time.monotonic()

            assert 200 == request()[0]
            assert tta_observe.shutdown()
            assert time.monotonic() - begun < 0.5
            assert before == eventually(threading.active_count, lambda count: count == before, timeout_s=2)

    assert [] == ours()
    assert ("", "") == capfd.readouterr()


def test_taken_port_is_one_warning_and_nothing_else_suffers(monkeypatch, caplog, tmp_path):
    """
    The second program on a machine finds it taken: it runs, and its other exporters work.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", str(port))
        configure(exporter=("prometheus", "local"))
        call()

        assert tta_observe.flush()
        assert ["local"] == [row.exporter for row in tta_observe.stats().exporters]
    assert 1 == len(caplog.records)
    assert all(part in caplog.text for part in (f"port {port}", "OTEL_EXPORTER_PROMETHEUS_PORT", "exporter='otlp'"))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a..b", "192.0.2.1", "%"])
def test_host_that_is_not_of_this_machine_is_one_warning(monkeypatch, caplog, host):
    """
    A name that cannot be looked up comes from a deployment file, and must not stop the program.
    """
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", host)
    configure(exporter="prometheus")
    call()

    assert 1 == len(caplog.records)
    assert f"of {host}" in caplog.text


@pytest.mark.parametrize("known", [True, False])
def test_name_that_takes_long_to_look_up_holds_nobody_up(monkeypatch, caplog, known):
    """
    Name servers that do not answer take a minute to be given up, and a service must start without them.
    """
    look_up = socket.getaddrinfo
    waiting = threading.Event()

    def slow(host, port, *args, **kwargs):
        if host != "slow.example":
            return look_up(host, port, *args, **kwargs)
        waiting.wait(5)
        return look_up("127.0.0.1" if known else "no.such.host.invalid", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "slow.example")
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
    begun = time.monotonic()
    configure(exporter="prometheus")
    took = time.monotonic() - begun
    call()
    waiting.set()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not caplog.records and "127.0.0.1" not in target():
        time.sleep(0.01)

    assert took < 0.2
    assert (0 if known else 1) == len(caplog.records)
    if known:
        with urlopen(target(), timeout=5) as answer:
            assert "primitive_execution_count" in answer.read().decode()


def test_shutdown_does_not_wait_for_a_name_that_is_still_looked_up(monkeypatch):
    """
    Programs end while name servers are down, too.
    """
    waiting = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: waiting.wait(5) and [])
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "slow.example")
    configure(exporter="prometheus")
    begun = time.monotonic()
    tta_observe.shutdown()
    took = time.monotonic() - begun
    waiting.set()

    assert took < 0.5


def test_spans_go_elsewhere_or_nowhere(tmp_path):
    """
    Prometheus takes metrics only; beside the store it takes nothing away from it.
    """
    configure(exporter=("prometheus", "local"))
    call()

    assert tta_observe.flush()
    rows = {row.exporter: (row.recorded, row.delivered) for row in tta_observe.stats().exporters}

    assert {"prometheus": (0, 0), "local": (1, 1)} == rows
    assert 200 == request()[0]


# Programs


PROGRAM = """
import socket, sys, time
import tta_observe
telemetry = tta_observe.configure(exporter="prometheus")
with tta_observe.workflow("chat"):
    for number in range(500):
        tta_observe.record_execution(f"p{number % 190}" + "x" * 4000, "tool", 1, "success", str(number % 100))
port = int(telemetry.stats().exporters[0].target.split(":")[-1].split("/")[0])
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
for number, one in enumerate(held):
    one.sendall([b"", b"GET /metr", b"GET /metrics HTTP/1.1\\r\\n\\r\\n"][number % 3])
time.sleep(0.3)
"""


def test_exit_does_not_wait_for_clients(tmp_path):
    """
    Connections that do nothing, and answers that nobody reads, are none of the program's business.
    """
    runs = (run(PROGRAM + LAST_LINE, tmp_path, OTEL_EXPORTER_PROMETHEUS_PORT="0") for _ in range(2))
    ended = next(runs)
    if ended.exit_s >= 1:  # machines of the build are shared: what took too long once gets a second chance
        ended = next(runs)

    assert (0, "") == (ended.code, ended.err)
    assert ended.exit_s < 1


MISSING = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "prometheus_client":
            raise ModuleNotFoundError("No module named 'prometheus_client'", name=name)

sys.meta_path.insert(0, Missing())
import tta_observe
"""


def test_missing_extra_is_an_error_where_the_keyword_is_written(tmp_path):
    """
    The message is the command that mends it.
    """
    program = """
try:
    tta_observe.configure(exporter=("local", "prometheus"))
except tta_observe.ConfigurationError as error:
    print(error)
"""
    ended = run(MISSING + program, tmp_path)

    assert (0, "") == (ended.code, ended.err)
    assert ended.out.endswith('Run: pip install "tta-observe[prometheus]"\n')


@pytest.mark.parametrize("variable", ["TTA_OBSERVE_EXPORTER", "OTEL_METRICS_EXPORTER"])
def test_missing_extra_in_the_environment_is_one_warning_and_the_store(tmp_path, variable):
    """
    Whoever sets variables cannot mend the program: what was measured is kept where it can be read.
    """
    program = """
tta_observe.configure()
with tta_observe.primitive("p"): pass
print([row.exporter for row in tta_observe.stats().exporters], tta_observe.flush())
"""
    ended = run(MISSING + program, tmp_path, **{variable: "prometheus"})

    assert (0, "['local'] True\n") == (ended.code, ended.out)
    assert 1 == len(ended.err.splitlines())
    assert 'Run: pip install "tta-observe[prometheus]"' in ended.err


# Prometheus itself


@pytest.fixture(name="prometheus")
def _prometheus(tmp_path):
    """A running Prometheus: give it a target, ask it a query."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs prometheus")
    running = Prometheus(program, tmp_path)
    yield running
    running.stop()


class Prometheus:
    """The program, with a data directory of its own."""

    def __init__(self, program, directory):
        self.program, self.directory, self.port, self.process = program, directory, free_port(), None

    def start(self, address):
        """Scrape *address* every second."""
        config = self.directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: tta_observe, static_configs: [{{targets: ['{address}']}}]}}]\n",
            encoding="utf-8",
        )
        self.process = subprocess.Popen(
            [
                self.program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self.directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask(self, path, **parameters):
        """Data of an answer of the HTTP API; None while it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        try:
            connection.request("GET", f"/api/v1/{path}?{query}")
            return json.loads(connection.getresponse().read())["data"]
        except (OSError, ValueError, KeyError):
            return None
        finally:
            connection.close()

    def value(self, query):
        """Value of the first series that *query* finds, else None."""
        found = (self.ask("query", query=query) or {}).get("result")
        return float(found[0]["value"][1]) if found else None


def test_prometheus_has_the_ten_names_and_its_rate_knows_the_first_event(prometheus):
    """
    The real one decides: names as every dashboard writes them, and an increase from a counter that was only ever 1.
    """
    endpoint = Endpoint("127.0.0.1", 0, semconv.SCOPE, lambda: 10 * time.monotonic())  # an interval of 1.5 s
    provider = MeterProvider([endpoint.with_reader()], shutdown_on_exit=False)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("work") as span:
        for spec in INSTRUMENTS:
            record_function(provider.get_meter(semconv.SCOPE), spec)(1, {k: f'a "{k}"\n\\' for k in spec.labels})
    endpoint.start()
    try:
        prometheus.start(endpoint.target.removeprefix("http://").removesuffix(PATH))
        first_event = eventually(lambda: prometheus.value("increase(primitive_execution_count[1m])"), bool)
        names = set(prometheus.ask("label/__name__/values"))
        exemplar = prometheus.ask("query_exemplars", query="llm_cost_total", start="0", end=str(time.time() + 60))
        label = prometheus.ask("query", query="cache_hits")["result"][0]["metric"]["cache_type"]
    finally:
        endpoint.stop(0)
    expected = {spec.prometheus_name for spec in INSTRUMENTS} - {EXECUTION_DURATION.prometheus_name}
    expected |= {f"{EXECUTION_DURATION.prometheus_name}_{part}" for part in ("bucket", "count", "sum")}

    assert expected == {name for name in names if name.split("_")[0] in ("primitive", "llm", "cache", "agent")}
    assert first_event >= 1
    assert f"{span.get_span_context().trace_id:032x}" == exemplar[0]["exemplars"][0]["labels"]["trace_id"]
    assert 'a "cache.type"\n\\' == label


def test_shipped_configuration_is_valid():
    """
    It is the first file that people copy.
    """
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool")
    path = ROOT / "prometheus" / "prometheus.yml"
    checked = subprocess.run([program, "check", "config", str(path)], capture_output=True, text=True, timeout=30)

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert "optional" not in checked.stdout
