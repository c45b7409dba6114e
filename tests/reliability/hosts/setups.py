"""configure() as nobody should call it: ``setups.py racing|twice|foreign|early``. Says what went wrong."""

import sys
import threading
import time

from subject import SUBJECT, say, settled_threads

import tta_observe

problems = []


def holds(what, condition):
    if not condition:
        problems.append(f"not so: {what}")


@tta_observe.traced_primitive
def work():
    return 42


def racing():
    barrier, made = threading.Barrier(8), []

    def configure():
        barrier.wait()
        made.append(tta_observe.configure())

    threads = [threading.Thread(target=configure) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    holds("all get the same object", len({id(one) for one in made}) == 1)
    work()
    return 1


def twice():
    first = tta_observe.configure()
    holds("the second call returns the first object", tta_observe.configure() is first)
    work()
    return 1


def foreign():
    from opentelemetry import metrics, trace

    class Provider(trace.TracerProvider):
        """An agent's own, without our SDK below it."""

        started = 0

        def get_tracer(self, *args, **kwargs):
            Provider.started += 1
            return trace.NoOpTracer()

    theirs = Provider()
    trace.set_tracer_provider(theirs)
    meters = metrics.get_meter_provider()
    tta_observe.configure(exporter="none")
    holds("the result is the same", work() == 42)
    holds("their provider stays", trace.get_tracer_provider() is theirs)
    holds("their meters stay", metrics.get_meter_provider() is meters)
    return 0


def early():
    begun = time.perf_counter()
    for _ in range(10_000):
        work()
    holds("a call before costs little", (time.perf_counter() - begun) / 10_000 < 50e-6)
    tta_observe.configure()
    work()
    return 1


spans = {"racing": racing, "twice": twice, "foreign": foreign, "early": early}[sys.argv[1]]()
if len(settled_threads()) > 1:
    problems.append(f"threads: {settled_threads()}")
tta_observe.flush(2.0)
say(problems=problems, spans=spans)
assert SUBJECT
