"""A hundred thousand values of one label."""

import gc

from subject import SUBJECT, rss_mib, say, settled_threads

import tta_observe

SUBJECT.configure()


def record(numbers):
    for number in numbers:
        tta_observe.record_execution("search", "tool", 1.0, "success", agent_type=f"agent-{number}")


record(range(1000))
tta_observe.flush(2.0)
settled_threads()  # the price list takes memory once, however many labels there are
gc.collect()
before = rss_mib()
record(range(1000, 100_000))
tta_observe.flush(2.0)
gc.collect()
say(grown_mib=rss_mib() - before)
