"""The columns of the table: each looks at one side of what was seen and returns what is wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict

from rows import drawn, flat, names_only


def result(row, facts, bare):
    """What the program prints, and its exit code, are those of the program that nobody observes."""
    if facts.code != bare.code:
        yield f"exit code {facts.code} instead of {bare.code}"
    if facts.printed != bare.printed:
        yield f"printed {facts.printed!r} instead of {bare.printed!r}"


def parent_span(row, facts, bare):
    """Every span is there once, in its place, in one trace with its parent, and called after type and action."""
    expected, found = names_only(row.trees()), names_only(facts.trees())
    if expected != found:
        yield f"spans\n{drawn(found)}instead of\n{drawn(expected)}"
    traces = {span.span_id: span.trace_id for span in facts.spans}
    for span in facts.spans:
        if span.parent_id is not None and traces.get(span.parent_id) != span.trace_id:
            yield f"{span.shown}: its parent {span.parent_id} is not in its trace"
    meant = {f"primitive.{name}" for name in row.observed.values()}
    meant |= {f"workflow.{name}.execute" for name in row.workflows.values()}
    if meant != {span.name for span in facts.spans}:
        yield f"span names {sorted({span.name for span in facts.spans})} instead of {sorted(meant)}"


def context(row, facts, bare):
    """Inside a function its own span and workflow are current; around a call nothing has changed."""
    spans = {span.span_id: span for span in facts.spans}
    inside = defaultdict(set)
    for seen in facts.probes:
        if seen["kind"] == "compared" and seen["changed"]:
            yield f"around {seen['what']}: {', '.join(seen['changed'])} changed"
        if seen["kind"] == "inside":
            inside[seen["name"]].add(seen["span"])
            yield from _wrong_inside(seen, spans.get(seen["span"]), spans)
    if not any(seen["kind"] == "compared" for seen in facts.probes):
        yield "nothing was compared"
    for name, shown in _by_name(facts).items():
        if missing := shown - inside[name]:
            yield f"{name}: {len(missing)} of its spans were never current inside it"


def connection(row, facts, bare):
    """Every edge was counted as often as it was taken, and no other."""
    expected, found = row.edges(), facts.edges()
    for edge in sorted(expected.keys() | found.keys()):
        if expected[edge] != found[edge]:
            source, target, kind = edge
            yield f"{source} -> {target} {kind}: {found[edge]:g} instead of {expected[edge]}"


def status(row, facts, bare):
    """Spans and counts say how each call ended."""
    expected = Counter(flat(row.trees()))
    found = Counter(span.shown for span in facts.spans)
    if expected != found:
        yield f"spans say {_difference(found, expected)}"
    counted = Counter()
    for text, times in expected.items():
        counted[text.removesuffix(" closed early")] += times
    if counted != facts.executions():
        yield f"counts say {_difference(facts.executions(), counted)}"


def nothing_leaked(row, facts, bare):
    """At the end nothing is open, current, alive or active, and nobody has written to stderr."""
    ends = [seen["left"] for seen in facts.probes if seen["kind"] == "finished"]
    if not ends:
        yield "the program did not come to its end"
    for left in ends:
        yield from (f"{what}: {found}" for what, found in left.items())
    if facts.active_workflows():
        yield f"{facts.active_workflows()} workflows are said to be active"
    if facts.said != bare.said:
        yield f"stderr: {facts.said[-2000:]}"


COLUMNS = {
    "result": result,
    "parent": parent_span,
    "context": context,
    "connection": connection,
    "status": status,
    "leaks": nothing_leaked,
}
"""By their title."""


def judge(row, facts, bare):
    """What is wrong, column by column; nothing where all is well. A program that fails alone proves nothing."""
    if bare.code or not bare.printed:
        return {title: [f"the program alone ended with {bare.code}: {bare.said}"] for title in COLUMNS}
    return {title: list(column(row, facts, bare)) for title, column in COLUMNS.items()}


def _wrong_inside(seen, span, spans):
    if span is None:
        yield f"inside {seen['name']}: a span is current that never ended, {seen['span']}"
    elif span.attributes.get("primitive.name") != seen["name"]:
        yield f"inside {seen['name']}: {span.attributes.get('primitive.name', span.name)} is the current span"
    elif {seen["workflow"], span.attributes.get("workflow.name")} != {workflow := _workflow_around(span, spans)}:
        said = f"{seen['workflow']}, on its span {span.attributes.get('workflow.name')}"
        yield f"inside {seen['name']}: workflow {said} instead of {workflow}"


def _workflow_around(span, spans):
    """The nearest workflow that *span* is, or is inside."""
    while span is not None and span.attributes.get("primitive.type") != "workflow":
        span = spans.get(span.parent_id)
    return span and span.attributes["primitive.name"]


def _by_name(facts):
    found = defaultdict(set)
    for span in facts.spans:
        found[span.attributes.get("primitive.name", span.name)].add(span.span_id)
    return found


def _difference(found, expected):
    return f"{dict(found - expected)} instead of {dict(expected - found)}"
