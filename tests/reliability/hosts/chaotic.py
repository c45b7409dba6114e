"""
An application that does everything it should not: ``chaotic.py SECONDS SEED``.

Several threads call, raise, cancel and feed hostile values; it forks and configures anew. The ledger is read all the
while. At the end it says what it has made, and what the ledger said.
"""

import asyncio
import os
import random
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack

from subject import ledger_of, say

import tta_observe

seconds, seed = float(sys.argv[1]), int(sys.argv[2])
HOSTILE = [None, "x" * 10**6, "a\ud800b", 2**70, float("nan"), object(), [[[[[[]]]]]], {"k": {1, 2}}, b"\xff" * 10**5]
problems, uneven, totals = [], [], Counter()
made, counts = Counter(), Counter()
stop = threading.Event()
CALLERS = 3
gates = [threading.Lock() for _ in range(CALLERS)]
"""All held while configure() is called anew, so that each span belongs to one ledger."""


@tta_observe.traced_primitive
def work(value=None):
    tta_observe.set_attributes({"value": value})
    return 42


@tta_observe.traced_primitive
def fail(value):
    raise LookupError(value)


@tta_observe.traced_primitive
async def sleep():
    await asyncio.sleep(5)


def call(chance):
    """One thing that an application does; returns how many spans it has made."""
    what = chance.random()
    if what < 0.7:
        if work(chance.choice(HOSTILE)) != 42:
            problems.append("a result was changed")
        return 1
    if what < 0.85:
        error = LookupError("of the application")
        try:
            with tta_observe.primitive("outer", attributes={"value": chance.choice(HOSTILE)}):
                fail(error)
        except LookupError as caught:
            if caught.args[0] is not error:
                problems.append("an exception was changed")
        return 2
    if what < 0.95:
        with tta_observe.workflow("chat"):
            tta_observe.record_execution("tool", "tool", chance.choice(HOSTILE), "success")
        return 1
    asyncio.run(cancelled())
    return 1


async def cancelled():
    task = asyncio.create_task(sleep())
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def caller(number):
    chance = random.Random(seed * 100 + number)
    while not stop.is_set():
        with gates[number]:
            made[number] += call(chance)
        time.sleep(chance.choice([0, 0.0005, 0.002, 0.01]))


def read(telemetry):
    """The ledger now; one that does not add up is remembered."""
    ledger = ledger_of(telemetry.stats().exporters[0])
    reasons = ledger.pop("reasons")
    parts = sum(ledger[part] for part in ("exported", "dropped", "queued", "in_flight"))
    if parts != ledger["created"]:
        uneven.append(ledger)
    # Of these the collector may hold some: their acknowledgement did not come.
    ledger["unsure"] = sum(count for reason, count in reasons.items() if reason in ("export_failed", "shutdown"))
    return ledger


def fork(chance):
    count = chance.randrange(1, 20)
    pid = os.fork()
    if not pid:
        stop.set()
        for _ in range(count):
            work()
        tta_observe.shutdown(1.0)
        os._exit(0)
    until = time.monotonic() + 6
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if status:
                problems.append(f"a child ended with {status}")
            return count
        time.sleep(0.01)
    problems.append("a child hung")
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return count


def settle(telemetry):
    """Shut it down and add up what its ledger says."""
    telemetry.shutdown(1.5)
    totals.update(read(telemetry))


def configured_anew(telemetry, chance):
    with ExitStack() as held:
        for gate in gates:
            held.enter_context(gate)
        settle(telemetry)
        return tta_observe.configure(label_limit=chance.randrange(50, 200))


def main():
    chance = random.Random(seed)
    telemetry = tta_observe.configure()
    threads = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    say(ready=True, pid=os.getpid())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.02, 0.3))
        read(telemetry)
        counts["snapshots"] += 1
        what = chance.random()
        if what < 0.04:
            counts["made_by_children"] += fork(chance)
        elif what < 0.06:
            telemetry = configured_anew(telemetry, chance)
        elif what < 0.1:
            tta_observe.flush(chance.choice([0, 0.05, 0.5]))
    stop.set()
    for thread in threads:
        thread.join()
    say(calm=True)
    time.sleep(2)  # the collector is made to answer again
    settle(telemetry)
    last = {part: totals[part] for part in ("created", "exported", "dropped", "queued", "in_flight")}
    say(
        problems=problems,
        uneven=uneven[:5],
        snapshots=counts["snapshots"],
        totals=dict(totals),
        made=made.total(),
        made_by_children=counts["made_by_children"],
        ledger=last,
    )


main()
