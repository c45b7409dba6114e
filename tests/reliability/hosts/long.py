"""Calls and calls with nobody to send to: ``long.py CALLS``. Says what memory has grown by since the queue was full."""

import gc
import sys

from subject import NAME, SUBJECT, own_threads, rss_mib, say

SUBJECT.configure()


def bare(number):
    return number * 7 % 1000


work = SUBJECT.traced(bare)
warm_up = 0
while warm_up < 150_000:
    warm_up += 1
    work(warm_up)
    if NAME == "ours" and not warm_up % 5000 and SUBJECT.ledger()["dropped"] > 5000:
        break
gc.collect()
before = rss_mib()
calls = int(sys.argv[1])
result = sum(work(number) for number in range(calls))
gc.collect()
say(
    grown_mib=rss_mib() - before,
    threads=len(own_threads()),
    result=result,
    expected=sum(bare(number) for number in range(calls)),
    calls=calls,
    warm_up=warm_up,
)
