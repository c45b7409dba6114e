"""tta-cache-layer: remembers answers, and tells hits from misses."""

from __future__ import annotations

from http_json import serve

from tta_observe import configure, record_cache_operation, traced_primitive

ANSWERS: dict[str, str] = {}


@traced_primitive(type="cache", action="lookup")
def look_up(question: str) -> str | None:
    """Return what is remembered, or None."""
    answer = ANSWERS.get(question)
    record_cache_operation(hit=answer is not None, key=question)
    return answer


@traced_primitive(type="cache", action="store")
def remember(question: str, answer: str) -> bool:
    """Keep an answer for the next who asks."""
    ANSWERS[question] = answer
    return True


if __name__ == "__main__":
    configure(service_name="tta-cache-layer")
    serve({"/look-up": look_up, "/remember": remember})
