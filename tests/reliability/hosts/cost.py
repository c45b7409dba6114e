"""Times each of CALLS calls: ``cost.py CALLS``."""

import sys
import time

from subject import SUBJECT, at, say

SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


for _ in range(2000):
    work()
times = []
for number in range(int(sys.argv[1])):
    begun = time.perf_counter()
    work()
    times.append(time.perf_counter() - begun)
    if not number % 50:
        time.sleep(0.005)
say(p50_us=at(times, 0.5) * 1e6, p99_us=at(times, 0.99) * 1e6, max_ms=max(times) * 1000)
