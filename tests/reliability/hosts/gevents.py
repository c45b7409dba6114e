"""A gevent application with a heartbeat each 10 ms: how long the whole of it stood still."""

from gevent import monkey

monkey.patch_all()

import time  # noqa: E402 - gevent comes first

import gevent  # noqa: E402
from subject import SUBJECT, last_line  # noqa: E402

gaps, calls = [], 0
begun = time.perf_counter()


def beat():
    last = time.perf_counter()
    while True:
        gevent.sleep(0.01)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now


SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


work()
heart = gevent.spawn(beat)
begun = time.perf_counter()
while time.perf_counter() - begun < 5:
    work()
    calls += 1
    gevent.sleep(0.005)
heart.kill()
last_line(longest_gap_ms=max(gaps) * 1000, calls=calls)
