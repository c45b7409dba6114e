"""Makes calls, waits, and ends in a chosen way: ``leave.py CALLS PAUSE_S end|exit|raise|flush``."""

import sys
import time

from subject import SUBJECT, last_line

calls, pause_s, way = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


for _ in range(calls):
    work()
time.sleep(pause_s)
if way == "flush":
    begun = time.monotonic()
    answer = SUBJECT.flush(1.0)
    last_line(flush_s=time.monotonic() - begun, answer=answer)
last_line()
if way == "exit":
    sys.exit(3)
if way == "raise":
    raise LookupError("of the application")
