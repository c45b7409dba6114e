"""Observed functions as objects: introspection, copies, pickles, process pools."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import re
import subprocess
import sys
import weakref
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import introspection
import pytest
from shapes import surroundings

from tta_observe import primitive, traced_primitive, workflow

ROOT = Path(__file__).parent.parent
DEADLINE = 60


@pytest.mark.parametrize("holds", introspection.CHECKS, ids=lambda check: check.__name__)
def test_what_others_ask_of_functions(telemetry, holds):
    """
    Frameworks, tests and debuggers look into functions; each check says who, and fails without us never.
    """
    holds()


def test_there_are_enough_checks():
    """
    The promise is at least twenty.
    """
    assert len(introspection.CHECKS) >= 20


@pytest.mark.parametrize("version", ["oldest", "newest", "without its extension"])
def test_every_supported_wrapt_gives_the_same_answers(version, tmp_path):
    """
    How wrapt binds and proxies has changed more than once; a program may have any of its versions.
    """
    environment = dict(os.environ)
    if version == "without its extension":
        environment["WRAPT_DISABLE_EXTENSIONS"] = "1"
    else:
        requirement = f"wrapt=={_lowest_version('wrapt')}" if version == "oldest" else "wrapt"
        _install(requirement, tmp_path)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    ran = _run(Path(introspection.__file__), environment=environment)

    total = len(introspection.CHECKS)
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout
    assert f": {total} of {total} checks hold" in ran.stdout
    assert version != "oldest" or f"wrapt {_lowest_version('wrapt')}." in ran.stdout


def _lowest_version(package):
    return re.search(rf'"{package}>=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())[1]


def _install(requirement, target):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, requirement]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    if ran.returncode:
        pytest.skip(f"needs a package index: {ran.stderr.strip().splitlines()[-1:]}")


def _run(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@traced_primitive(name="square")
def square(number):
    return number * number


@workflow("cubing")
def cube(number):
    return number**3


class Power:
    def __init__(self, exponent):
        self.exponent = exponent

    @traced_primitive
    def of(self, number):
        return number**self.exponent

    @traced_primitive
    @classmethod
    def second(cls, number):
        return cls(2).of(number)

    @traced_primitive
    @staticmethod
    def first(number):
        return number

    @traced_primitive
    def __call__(self, number):
        return self.of(number)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_process_pools_run_observed_functions(telemetry, method):
    """
    A program that fans out over processes must go on doing so after its functions were decorated.
    """
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method))
    functions = [square, cube, Power(4).of, Power.second, Power(2).second, Power.first, Power(5), Power(6).__call__]
    with pool:
        results = [pool.submit(function, 2).result(DEADLINE) for function in functions]

    assert [4, 8, 16, 4, 4, 2, 32, 64] == results


def test_a_pool_in_a_running_loop(telemetry):
    """
    ``run_in_executor`` is how asyncio programs reach their processes.
    """

    async def main():
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
            return await loop.run_in_executor(pool, square, 3)

    assert 9 == asyncio.run(main())


def test_observed_copies_still_observe(telemetry):
    """
    A copy that was silently bare would be a hole in the trace.
    """
    introspection._round_trip(introspection.adder)(1)
    introspection._round_trip(introspection.of_partial)()
    introspection._round_trip(introspection.observed_under_another_name)(1)
    introspection._round_trip(introspection.block_adder)(1)
    introspection._round_trip(introspection.Base(2).method)()

    assert ["Adder", "bare", "bare", "adding", "Base.method"] == telemetry.tree()


def test_a_pickled_block_is_closed(telemetry):
    """
    A block that decorates is pickled along with what it decorates; what is open at the moment stays here.
    """
    block = workflow("w", session_id="s-1", attributes={"team": "search"})
    with block:
        copied = introspection._round_trip(block)
        before = surroundings()
        copied.__exit__(None, None, None)

        assert before == surroundings()
        with copied as context:
            assert ("w", "s-1", {"team": "search"}) == (context.workflow_name, context.session_id, context.attributes)


def test_functions_are_not_kept():
    """
    Functions made at run time, one per request, have to be collected like any other.
    """

    def make():
        @traced_primitive
        def local():
            pass

        @primitive("p")
        def other():
            pass

        local()
        other()
        return weakref.ref(local), weakref.ref(other)

    references = make()
    gc.collect()

    assert [None, None] == [reference() for reference in references]


def test_objects_are_not_kept_by_calling_their_methods(telemetry):
    """
    A span holds names, not the objects it was about.
    """
    owner = Power(2)
    owner.of(3)
    reference = weakref.ref(owner)
    del owner
    gc.collect()

    assert reference() is None
