"""One span here, 20 in a Process, 10 in a pool of two: ``children.py fork|spawn``."""

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from subject import SUBJECT, say

import tta_observe


@tta_observe.traced_primitive
def work(_=None):
    pass


def child(ended):
    if multiprocessing.get_start_method() == "spawn":
        SUBJECT.configure()
    for _ in range(20):
        work()
    ended.value = time.monotonic()


def main(way):
    multiprocessing.set_start_method(way)
    SUBJECT.configure()
    work()
    ended = multiprocessing.Value("d", 0.0)
    process = multiprocessing.Process(target=child, args=(ended,))
    process.start()
    process.join(20)
    say(child_exit_s=time.monotonic() - ended.value)
    initializer = SUBJECT.configure if way == "spawn" else None
    with ProcessPoolExecutor(2, initializer=initializer) as pool:
        list(pool.map(work, range(10)))


if __name__ == "__main__":
    main(sys.argv[1])
