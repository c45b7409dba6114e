"""Makes RATE calls a second for SECONDS: ``steady.py SECONDS RATE``."""

import sys
import time

from subject import SUBJECT, last_line, say

seconds, rate = float(sys.argv[1]), int(sys.argv[2])
SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


say(ready=True)
begun, calls = time.monotonic(), 0
while (now := time.monotonic() - begun) < seconds:
    if calls < now * rate:
        work()
        calls += 1
    else:
        time.sleep(0.005)
last_line(calls=calls)
