"""
Large spans through the provider itself, as other instrumentation makes them: ``large.py down|up``.

down: 3000 with one value of 100 kB. up: 600 with one of 20 kB and one with 10 MB.
"""

import gc
import sys
import time

from subject import SUBJECT, rss_mib, say

SUBJECT.configure()
tracer = SUBJECT.tracer()


def spans(count, size):
    for number in range(count):
        with tracer.start_as_current_span("large") as span:
            span.set_attribute("value", f"{number:08d}" + "x" * (size - 8))
        if not number % 100:
            time.sleep(0.1 if sys.argv[1] == "up" else 0.01)


if sys.argv[1] == "down":
    spans(0, 0)
    time.sleep(1.2)
    gc.collect()
    before = rss_mib()
    spans(3000, 100_000)
    gc.collect()
    say(grown_mib=rss_mib() - before)
else:
    spans(600, 20_000)
    spans(1, 10_000_000)
    say(flushed=SUBJECT.flush(10))
