"""An observed function, and a method, sent to processes of both start methods."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from subject import say

import tta_observe


@tta_observe.traced_primitive
def double(number):
    return 2 * number


class Doubler:
    @tta_observe.traced_primitive
    def double(self, number):
        return 2 * number


def main():
    tta_observe.configure(exporter="local")
    for way in ("fork", "spawn"):
        with ProcessPoolExecutor(1, multiprocessing.get_context(way)) as pool:
            say(**{way: [pool.submit(double, 1).result(20), pool.submit(Doubler().double, 2).result(20)]})


if __name__ == "__main__":
    main()
