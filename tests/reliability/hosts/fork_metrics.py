"""Counts 100 calls, then 5 in each of three children and 10 more here; says how many that are."""

import os
import sys
import time

from subject import SUBJECT, say

SUBJECT.configure()


@SUBJECT.traced
def work():
    pass


def main():
    for _ in range(100):
        work()
    time.sleep(0.3)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if not pid:
            for _ in range(5):
                work()
            sys.exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    for _ in range(10):
        work()
    say(truth=125, processes=4)


if __name__ == "__main__":
    main()
