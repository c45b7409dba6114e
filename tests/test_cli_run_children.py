"""Processes that an observed program starts."""

from __future__ import annotations

import sys

import pytest
from observed_runs import both, observed, primitives, written

POOL = """
    import multiprocessing
    import sys
    from concurrent.futures import ProcessPoolExecutor

    from helper import twice

    class Point:
        def __init__(self, n):
            self.n = n

    def work(n):
        return Point(twice(n))

    def fail():
        work(1)
        sys.exit(6)

    if __name__ == "__main__":
        context = multiprocessing.get_context(sys.argv[1])
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print([(point.n, type(point) is Point) for point in pool.map(work, range(3))])
        child = context.Process(target=fail)
        child.start()
        child.join()
        print(child.exitcode)
"""
FILES = {
    "pool.py": POOL,
    "helper.py": "def twice(n):\n    return 2 * n\n",
    "pyproject.toml": '[[tool.tta_observe.primitives]]\npattern = "pool:work"\n'
    '[[tool.tta_observe.primitives]]\npattern = "helper:twice"\ntype = "tool"\n',
}


@pytest.mark.parametrize(
    "words", [("pool.py", "fork"), ("pool.py", "spawn"), ("pool.py", "forkserver"), ("-m", "pool", "spawn")]
)
def test_children_of_multiprocessing_are_observed(words, tmp_path):
    """
    Work that was given to other processes is most of the work: missing there is missing from every figure.
    """
    written(tmp_path, FILES)

    plain, run = both(tmp_path, *words)

    assert (0, "[(0, True), (2, True), (4, True)]\n6\n") == (plain.code, plain.out)
    assert plain == run
    assert {"work": 4, "twice": 4} == primitives(tmp_path)


def test_report_counts_the_children(tmp_path):
    """
    One run is what was typed, in however many processes.
    """
    written(tmp_path, FILES)

    run = observed(tmp_path, "--report", "pool.py", "spawn")

    assert "● Yes: 100 % of 8 executions ok" in run.err
    assert 1 == run.err.count("tta-observe report")


def test_a_child_of_another_python_is_left_alone(tmp_path):
    """
    ``set_executable`` may name a Python that has not this package: what we send along must not break it.
    """
    written(
        tmp_path,
        {
            "blind.sh": f'#!/bin/sh\nexec {sys.executable} -S "$@"\n',  # without what is installed
            "program.py": """
            import multiprocessing, os, sys
            def work():
                print("observed" if "tta_observe.cli" in sys.modules else "not observed", flush=True)
            if __name__ == "__main__":
                context = multiprocessing.get_context("spawn")
                context.set_executable(os.path.abspath("blind.sh"))
                child = context.Process(target=work)
                child.start()
                child.join()
                print(child.exitcode)
            """,
        },
    )
    (tmp_path / "blind.sh").chmod(0o755)

    plain, run = both(tmp_path, "program.py")

    assert (0, "not observed\n0\n", "") == (plain.code, plain.out, plain.err)
    assert plain == run


def test_what_is_started_otherwise_is_a_program_of_its_own(tmp_path):
    """
    It is documented so; and nothing in the environment may leak into programs that know nothing of us.
    """
    written(
        tmp_path,
        {
            "program.py": """
            import os, subprocess, sys
            code = "import os, sys; print('tta_observe' in sys.modules, sorted(os.environ))"
            print(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout)
            """
        },
    )

    plain, run = both(tmp_path, "program.py")

    assert plain.out.startswith("False")
    assert plain == run


def test_a_forked_child_says_nothing_of_its_own(tmp_path):
    """
    It ends by the same hooks as its parent; two reports on one run would contradict each other.
    """
    written(
        tmp_path,
        {
            "app.py": "import os, sys\ndef work(): pass\nwork()\nif not os.fork(): work(); sys.exit()\nos.wait()\n",
            "pyproject.toml": '[[tool.tta_observe.primitives]]\npattern = "app:work"\n',
        },
    )

    run = observed(tmp_path, "--report", "app.py")

    assert 1 == run.err.count("tta-observe report")
    assert "● Yes: 100 % of 2 executions ok" in run.err
