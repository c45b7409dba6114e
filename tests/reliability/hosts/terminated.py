"""Makes 100 calls a second until it is ended, and says each time how many: ``terminated.py KEYWORDS``."""

import json
import sys
import time

from subject import SUBJECT, say

SUBJECT.configure(**json.loads(sys.argv[1]))


@SUBJECT.traced
def work():
    pass


say(ready=True)
calls = 0
while True:
    work()
    calls += 1
    say(calls=calls)
    time.sleep(0.01)
