"""Times configure() and calls while every look-up and connection takes five seconds: ``setup_slow.py KEYWORDS``."""

import importlib
import json
import pkgutil
import socket
import sys
import time
from contextlib import suppress

from subject import at, say

import tta_observe
import tta_observe._configure
import tta_observe._pipeline
import tta_observe.local.exporters

for module in pkgutil.iter_modules(tta_observe._pipeline.__path__, "tta_observe._pipeline."):
    with suppress(ImportError):  # of an extra that is not installed
        importlib.import_module(module.name)  # what is imported is not measured
keywords = json.loads(sys.argv[1])


def slowly(real):
    def wait(*args, **kwargs):
        time.sleep(5)
        return real(*args, **kwargs)

    return wait


socket.getaddrinfo = slowly(socket.getaddrinfo)
socket.gethostbyname = slowly(socket.gethostbyname)
socket.getfqdn = slowly(socket.getfqdn)
socket.create_connection = slowly(socket.create_connection)
socket.socket.connect = slowly(socket.socket.connect)


@tta_observe.traced_primitive
def work():
    pass


begun = time.perf_counter()
tta_observe.configure(**keywords)
setup_s = time.perf_counter() - begun
times = []
for number in range(5000):
    begun = time.perf_counter()
    work()
    times.append(time.perf_counter() - begun)
    if not number % 100:
        time.sleep(0.02)
blocks = [times[start : start + 500] for start in range(0, len(times), 500)]
quietest = min(at(block, 0.99) for block in blocks)
say(setup_ms=setup_s * 1000, p99_ms=quietest * 1000, longest_ms=max(times) * 1000)
