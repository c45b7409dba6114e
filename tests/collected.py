"""A program whose garbage is collected at nearly every allocation: generators and blocks are closed anywhere."""

import gc
import sys

from tta_observe import _guard, primitive, traced_primitive, workflow
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
    with captured_telemetry() as telemetry:
        gc.set_threshold(1)
        for _ in range(rounds):
            Cycle(stream())
            Cycle(bare())
            with workflow("w"), primitive("p"):
                late()
        gc.set_threshold(700)
        gc.collect()
        ended = sum(span.get_span_context().is_valid for span in telemetry._exporter.get_finished_spans())
    print(ended)


if __name__ == "__main__":
    main(int(sys.argv[1]))
