"""A program whose garbage is collected at nearly every allocation: generators and blocks are closed anywhere."""

import gc
import sys

from tta_observe import Price, _guard, primitive, traced_primitive, workflow
from tta_observe.instruments import LLM_TOKENS
from tta_observe.testing import captured_telemetry


@traced_primitive
def stream():
    """Be left suspended."""
    try:
        with primitive("inner"):
            yield 1
        yield 2
    finally:
        late()


def bare():
    """Hold a block over a yield, without being decorated."""
    with workflow("bare"), primitive("held"):
        yield 1


@traced_primitive
def late():
    """Run while the collector does."""


LAST = {"object": "chat.completion.chunk", "model": "m", "choices": [], "usage": {"prompt_tokens": 10}}


class Chunks:
    """A stream that is no generator."""

    def __init__(self):
        self.left = [LAST, LAST]

    def __iter__(self):
        return self

    def __next__(self):
        return self.left.pop()


@traced_primitive(type="llm")
def generated():
    """Return a stream that is left suspended, after the chunk that says what was used."""
    return (chunk for chunk in (LAST, LAST))


@traced_primitive(type="llm")
def streamed():
    """The same, not a generator."""
    return Chunks()


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self, generator):
        self.me, self.generator = self, generator
        next(generator)

    def __del__(self):
        with primitive("finalizer"):
            late()


def main(rounds):
    """Make garbage, and observe something else meanwhile."""
    _guard.STATE.reraise = True
    with captured_telemetry(prices={"m": Price(1, 1)}) as telemetry:
        gc.set_threshold(1)
        for _ in range(rounds):
            Cycle(stream())
            Cycle(bare())
            Cycle(generated())
            Cycle(streamed())
            with workflow("w"), primitive("p"):
                late()
        gc.set_threshold(700)
        gc.collect()
        ended = sum(span.get_span_context().is_valid for span in telemetry._exporter.get_finished_spans())
        print(ended, int(telemetry.total(LLM_TOKENS)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
