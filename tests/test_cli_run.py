"""A program under ``tta-observe run``: for everybody else it is the same program."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from observed_runs import RUN, both, ended, interrupted, observed, primitives, spans, start, written
from programs import environment

LEGACY = Path(__file__).parent.parent / "examples" / "legacy"

WHO_AM_I = """
    import sys
    shown = {name: value for name, value in globals().items() if name not in ("sys", "__builtins__")}
    print(sys.argv, sys.path[0], shown, __name__, type(__builtins__), sys.modules["__main__"].__dict__ is globals())
"""
NAMED = """
    [tool.tta_observe]
    service_name = "shop"

    [[tool.tta_observe.primitives]]
    pattern = "app:fetch"
    type = "tool"
    action = "fetch"

    [[tool.tta_observe.primitives]]
    pattern = "app:Desk.*"
"""
APP = """
    import asyncio
    import sys

    async def fetch(n):
        await asyncio.sleep(0)
        return 10 / n

    class Desk:
        def open(self, n):
            return asyncio.run(fetch(n))

    if __name__ == "__main__":
        print(Desk().open(int(sys.argv[1])))
"""


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@pytest.mark.parametrize(
    "words",
    [
        ("who.py", "a", "-b", "--report", "--", "--config"),
        ("./who.py",),
        ("link.py",),
        ("packed.zip", "a"),
        ("folder", "a"),
        ("-m", "who", "a", "--store", "x"),
        ("-mwho",),
        ("-m", "package"),
        ("-m", "package.inner", "-m", "x"),
        ("-c", WHO_AM_I.replace("\n    ", "\n"), "a", "-c"),
    ],
    ids=lambda words: " ".join(words)[:20].strip(),
)
def test_program_finds_itself_as_it_is(words, tmp_path):
    """
    Programs look at their arguments, their path and their own file: each difference is a program that fails.
    """
    files = ("who.py", "package/__main__.py", "package/inner.py", "folder/__main__.py")
    written(tmp_path, {"package/__init__.py": "", **dict.fromkeys(files, WHO_AM_I)})
    (tmp_path / "link.py").symlink_to(tmp_path / "who.py")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.write(tmp_path / "folder/__main__.py", "__main__.py")

    plain, run = both(tmp_path, *words, PYTHONDONTWRITEBYTECODE="1")

    assert (0, "") == (plain.code, plain.err)
    assert without_addresses(plain.out) == without_addresses(run.out)
    assert (0, "") == (run.code, run.err)


ENDINGS = {
    "falls off the end": "print('done')",
    "exit 7": "import sys; sys.exit(7)",
    "exit with text": "import sys; sys.exit('no such file')",
    "exit True": "raise SystemExit(True)",
    "raises": "def f():\n    raise ValueError('x')\nf()",
    "raises with a cause": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
    "raises a group": "raise ExceptionGroup('g', [ValueError(1), ExceptionGroup('h', [KeyError(2)])])",
    "does not parse": "def f(:\n    pass",
    "is not there at all": None,
    "reads its input": "import sys; print(sys.stdin.read().upper())",
    "writes bytes": "import sys; sys.stdout.buffer.write(bytes([0, 255, 10])); sys.stderr.write('no line break')",
    "excepthook of its own": "import sys\nsys.excepthook = lambda *a: print(a[0].__name__, a[2].tb_lineno)\n1 / 0",
    "_exit": "import os; print('x', flush=True); os._exit(9)",
    "atexit": "import atexit; atexit.register(print, 'bye'); print('hello')",
    "threads": "import threading, time\nt = lambda: (time.sleep(0.2), print('late'))\n"
    "threading.Thread(target=t).start(); threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "execv": "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(1); raise SystemExit(4)'])",
    "forks": "import os, sys\npid = os.fork()\nif pid == 0: sys.exit(5)\nprint(os.wait()[1])",
    "closes its streams": "import os, sys\nprint('x', flush=True)\nos.close(2)\nos.close(1)",
    "replaces its streams": "import io, sys; sys.stderr = sys.stdout = io.StringIO(); print('lost')",
    "pickles its own class": "import pickle\nclass P: pass\nprint(type(pickle.loads(pickle.dumps(P()))) is P)",
    "future and annotations": "'''doc'''\nfrom __future__ import annotations\nx: int = 3\n"
    "def f(a: Nobody): ...\nprint(__annotations__, f.__annotations__, __doc__)",
    "kills itself": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "aborts": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "says what it thinks of warnings": "import warnings; warnings.warn('w', DeprecationWarning)",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.fail('f')\n"
    "unittest.main(argv=['x'], buffer=True, verbosity=0, exit=True)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_program_ends_as_it_does_by_itself(ending, tmp_path):
    """
    Exit code, signals, and every byte on both streams: scripts around the program depend on them.
    """
    if ENDINGS[ending] is not None:
        (tmp_path / "program.py").write_text(ENDINGS[ending])

    plain, run = both(tmp_path, "program.py", text="some input")

    assert (plain.code, plain.out) == (run.code, run.out)
    if ending == "is not there at all":
        assert run.err.startswith("tta-observe run: can't open file '/")
    else:
        assert without_times(plain.err) == without_times(run.err)


def without_times(text):
    return re.sub(r"in \d\.\d+s", "in s", text)


@pytest.mark.parametrize("words", [("-m", "nowhere"), ("-m", "email"), ("-m", "nowhere.x"), ("empty",)])
def test_what_is_not_there_is_told_as_python_tells_it(words, tmp_path):
    """
    A typing mistake must not look like a failure of the program, nor the other way round.
    """
    (tmp_path / "empty").mkdir()

    plain, run = both(tmp_path, *words)

    assert (1, plain.err.partition(": ")[2]) == (plain.code, run.err.partition(": ")[2])
    assert (1, True) == (run.code, run.err.startswith("tta-observe run: "))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1], ids=str)
def test_signals_end_the_program_as_ever(number, tmp_path):
    """
    A supervisor that sends SIGTERM, and a person who presses Ctrl-C, get what they are used to.
    """
    written(tmp_path, {"program.py": "import time\nprint('ready', flush=True)\ntime.sleep(30)\n"})

    plain, run = (interrupted(start(tmp_path, *more, "program.py"), number) for more in ((), RUN))

    assert -number == plain.code
    assert plain == run


def test_program_that_handles_ctrl_c_has_its_own_way(tmp_path):
    """
    Servers shut down in an orderly way on Ctrl-C: the interrupt is theirs.
    """
    written(
        tmp_path,
        {
            "program.py": """
        import asyncio
        async def main():
            print("ready", flush=True)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                print("tidy")
                raise
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            raise SystemExit(3)
        """
        },
    )

    plain, run = (interrupted(start(tmp_path, *more, "program.py")) for more in ((), RUN))

    assert 3 == plain.code
    assert plain == run


def test_functions_of_the_main_module_are_observed(tmp_path):
    """
    A script defines its functions and calls them in one go: there is no moment between.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})

    plain, run = both(tmp_path, "app.py", "4")

    assert plain == run
    assert {"fetch": 1, "Desk.open": 1} == primitives(tmp_path)
    assert ["primitive.tool.fetch"] == [name for name in spans(tmp_path) if "tool" in name]


@pytest.mark.parametrize("words", [("app.py", "0"), ("-m", "app", "0")])
def test_traceback_is_the_program_s_own(words, tmp_path):
    """
    Whoever reads a traceback looks for their own code: nothing of ours stands above it, or in between.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})

    plain, run = both(tmp_path, *words)

    own = [line for line in plain.err.splitlines(keepends=True) if "frozen runpy" not in line]
    assert 1 == run.code
    assert "".join(own) == run.err


SHAPES = """
    import asyncio, functools, sys

    def plain(): return 1
    async def coroutine(): return 2
    def generator(): yield 3
    async def async_generator(): yield 4

    class Client:
        def method(self): return 5
        @classmethod
        def of_class(cls): return 6
        @staticmethod
        def of_nobody(): return 7
        def __call__(self): return 8
        @property
        def size(self): return 0
        def _private(self): return 0

    class Special(Client):
        def method(self): return super().method()

    part = functools.partial(plain)
    ready = Client()
    @functools.lru_cache
    def cached(): return 9
    if True:
        def branch(): return 10
    from helper import helped
    def unnamed(): return 0

    async def main():
        found = [plain(), await coroutine(), *generator(), *[i async for i in async_generator()]]
        found += [ready.method(), Client.of_class(), Client.of_nobody(), ready(), ready.size, ready._private()]
        found += [Special().method(), part(), cached(), cached(), cached.cache_info().hits]
        found += [branch(), helped(), unnamed()]
        print(found, plain.__name__, plain.__module__, sys._getframe().f_lineno)

    asyncio.run(main())
"""
SHAPE_NAMES = [
    "plain", "coroutine", "generator", "async_generator", "Client", "Client.__call__", "Special.method", "part",
    "cached", "branch",
]  # fmt: skip


def test_all_shapes_of_the_main_module_are_observed(tmp_path):
    """
    Whatever a script holds, what is written is what is found, exactly once, and its lines keep their numbers.
    """
    patterns = [*(f"shapes:{name}" for name in SHAPE_NAMES), "helper:helped", "shapes:bran*", "__main__:plain"]
    entries = "".join(f'[[tool.tta_observe.primitives]]\npattern = "{pattern}"\n' for pattern in patterns)
    written(tmp_path, {"shapes.py": SHAPES, "helper.py": "def helped(): return 11\n"})
    (tmp_path / "pyproject.toml").write_text(entries)

    plain, run = both(tmp_path, "shapes.py")

    assert (0, "") == (run.code, run.err)
    assert plain == run
    once = ["coroutine", "generator", "async_generator", "Client.of_class", "Client.of_nobody", "Client.__call__"]
    expected = dict.fromkeys([*once, "Special.method", "branch", "helped"], 1)
    assert expected | {"plain": 2, "Client.method": 2, "cached": 2} == {
        **primitives(tmp_path),
        "plain": primitives(tmp_path)["plain"] - 1,  # the partial is called after its function
    }


def test_workflows_come_from_the_file_as_well(tmp_path):
    """
    Which calls make one run is what cost and success are counted by; a decorator is not needed to say it.
    """
    written(
        tmp_path,
        {
            "app.py": APP,
            "pyproject.toml": '[[tool.tta_observe.workflows]]\npattern = "app:Desk.open"\nagent_type = "clerk"\n'
            '[[tool.tta_observe.primitives]]\npattern = "app:*"\n',
        },
    )

    run = observed(tmp_path, "app.py", "4")

    found = spans(tmp_path)
    assert (0, "2.5\n") == (run.code, run.out)
    assert {"workflow.Desk.open.execute", "primitive.function.execute"} == set(found)
    assert "clerk" == found["primitive.function.execute"][0]["agent.type"]


def test_program_that_configures_by_itself_decides(tmp_path):
    """
    What a program says in its own code counts for more than what somebody put beside it.
    """
    written(
        tmp_path,
        {
            "pyproject.toml": NAMED,
            "app.py": """
        import tta_observe
        tta_observe.configure(service_name="mine", store="mine.db")
        @tta_observe.traced_primitive
        def fetch(): pass
        fetch()
        """,
        },
    )

    run = observed(tmp_path, "--report", "app.py")

    (tmp_path / "store.db").unlink(missing_ok=True)
    (tmp_path / "mine.db").rename(tmp_path / "store.db")
    assert {"fetch": 1} == primitives(tmp_path)
    assert 1 == run.err.count("the program calls configure() itself: its settings count, and no others.")
    assert "● Yes: 100 % of 1 execution ok" in run.err


def test_report_is_about_this_run_alone(tmp_path):
    """
    The store is shared with other programs, and with the runs before.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})
    for _ in range(2):
        assert "" == observed(tmp_path, "app.py", "4").err

    run = observed(tmp_path, "--report", "app.py", "0")

    assert (1, "") == (run.code, run.out)
    assert "● No: 0 % of 2 executions ok" in run.err
    assert run.err.index("ZeroDivisionError: ") < run.err.index("tta-observe report")


def test_one_line_on_a_terminal(tmp_path):
    """
    A person learns where to look; a pipe or a log gets nothing.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})
    ours, theirs = pty.openpty()
    command = [sys.executable, *RUN, "app.py", "4"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=theirs
    ) as child:
        out, _ = child.communicate(timeout=60)
    os.close(theirs)
    line = read_all(ours)

    assert b"2.5\n" == out
    assert f"tta-observe: 2 executions · tta-observe report --store {tmp_path / 'store.db'}\r\n" == line


def read_all(descriptor):
    found = b""
    while select.select([descriptor], [], [], 0)[0]:
        try:
            found += os.read(descriptor, 4096)
        except OSError:  # Linux says so when the other side is closed
            break
    os.close(descriptor)
    return found.decode()


def test_notes_wait_until_the_program_has_ended(tmp_path):
    """
    A pattern that misses must be told, but not among what the program writes or logs.
    """
    written(
        tmp_path,
        {
            "app.py": "import logging\nlogging.basicConfig()\nimport helper\nlogging.warning('mine')\n",
            "helper.py": "def fetch(): pass\n",
            "pyproject.toml": '[[tool.tta_observe.primitives]]\npattern = "helper:fetsh"\n',
        },
    )

    quiet, run = both(tmp_path, "app.py")
    told = observed(tmp_path, "--report", "app.py")

    assert ("WARNING:root:mine\n", "WARNING:root:mine\n") == (quiet.err, run.err)
    assert told.err.startswith("WARNING:root:mine\ntta-observe: nothing was observed.")
    assert "'helper' has no 'fetsh'. Did you mean 'helper:fetch'?" in told.err


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("servce_name = 'x'", "has no key 'servce_name'. Did you mean 'service_name'?"),
        ("[[primitives]]\npattern = 'nowhere:f'", "There is no module 'nowhere'."),
        ("[[primitives]]\npattern = 'app:fetsh'", "'app:fetsh': app.py has no 'fetsh'. Did you mean 'fetch'?"),
        ("[[primitives]]\npattern = 'app:Desk.opne'", "has no 'Desk.opne'. Did you mean 'Desk.open'"),
        ("[[primitives]]\npattern = 'app:fetch'\ntype = 'Tool'", "number 1: type='Tool'"),
        ("[[primitives]]\npattern = '*:fetch'", "means tta_observe itself, too."),
        ("[[primitives]]\npattern = 'app::'", "'app::' names no function."),
        ("[[workflows]]\npattern = 'app:fetch'\nbudget_usd = 'much'", "[[tool.tta_observe.workflows]] number 1: "),
        ("[[workflows", "is no TOML"),
    ],
)
def test_wrong_files_are_refused_before_the_program_begins(file, said, tmp_path):
    """
    A file with a mistake in it measures something else than was meant: better no run than a wrong one.
    """
    written(tmp_path, {"app.py": APP, "config.toml": file})

    run = observed(tmp_path, "--config", "config.toml", "app.py", "4")

    assert (2, "") == (run.code, run.out)
    assert said in run.err
    assert 0 == run.err.count("Traceback")


def test_console_script_is_found_by_its_name(tmp_path):
    """
    ``tta-observe run gunicorn app:app`` is how a server is started.
    """
    command = tmp_path / "greet"
    command.write_text(f"#!{sys.executable}\nimport sys\nprint('hello', sys.argv)\n")
    command.chmod(0o755)
    (tmp_path / "stranger").write_text("#!/opt/other/bin/python3\n")
    (tmp_path / "stranger").chmod(0o755)
    (tmp_path / "elsewhere").mkdir()
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    run = observed(tmp_path / "elsewhere", "greet", "-x", PATH=path)
    other = observed(tmp_path / "elsewhere", "stranger", PATH=path)
    binary = observed(tmp_path / "elsewhere", "env", PATH=path)

    assert (0, f"hello ['{command}', '-x']\n") == (run.code, run.out)
    assert (2, True) == (other.code, "runs with /opt/other/bin/python3, not with" in other.err)
    assert (2, True) == (binary.code, "is no Python script" in binary.err)


def test_service_and_store_of_the_command_line_win(tmp_path):
    """
    What is typed for one run is meant for that run.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})

    run = observed(tmp_path, "--service", "typed", "--store", "typed.db", "--report", "app.py", "4")
    child = start(tmp_path, "-m", "tta_observe", "report", "--json", "--store", "typed.db")

    assert 0 == run.code
    assert '"service_name": "typed"' in ended(child).out
    assert {} == primitives(tmp_path)


@pytest.mark.parametrize("variables", [{"OTEL_SDK_DISABLED": "true"}, {"TTA_OBSERVE_EXPORTER": "none"}])
def test_telemetry_that_is_switched_off_stays_off(variables, tmp_path):
    """
    The switches that everything else obeys hold here, too.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})

    run = observed(tmp_path, "--report", "app.py", "4", **variables)

    assert (0, "2.5\n", "tta-observe: telemetry went nowhere\n") == (run.code, run.out, run.err)
    assert not (tmp_path / "store.db").exists()


def test_program_runs_where_the_working_directory_is_gone(tmp_path):
    """
    It happens to programs that are started by others; Python itself does not mind.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})
    gone = "import os, sys\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')\nos.execv(sys.executable, {})"

    plain, run = (
        ended(start(tmp_path, "-c", gone.format([sys.executable, *more, str(tmp_path / "app.py"), "4"])))
        for more in ((), RUN)
    )

    assert (0, "2.5\n") == (plain.code, plain.out)
    assert plain == run


def test_store_that_cannot_be_written_changes_nothing(tmp_path):
    """
    Telemetry that fails is the telemetry's problem.
    """
    written(tmp_path, {"app.py": APP, "pyproject.toml": NAMED})
    (tmp_path / "store.db").write_text("not a store")

    plain, run = both(tmp_path, "app.py", "4")

    assert plain == run


def test_the_example_is_observed_without_a_word_in_its_code(tmp_path):
    """
    That is what the example says it shows: same output, same exit code, and the whole picture.
    """
    words = (str(LEGACY / "ask.py"), "where is my parcel", "when is the refund", "why")
    texts = [path.read_text() for path in LEGACY.rglob("*.py")]

    plain, run = both(tmp_path, *words)
    report = ended(start(tmp_path, "-m", "tta_observe", "report"))

    assert 3 == plain.code
    assert plain == run
    assert [] == [text for text in texts if "import tta_observe" in text or "from tta_observe" in text]
    assert {"answer-question": 3, "complete": 3, "check_length": 3} == {
        name: count
        for name, count in primitives(tmp_path).items()
        if name in ("answer-question", "complete", "check_length")
    }
    assert "● Mostly: 88.9 % of 18 executions ok" in report.out
    assert "Index.search_notes ═▶ complete 3×" in report.out
    assert "desk-small · < $0.0001 (estimate) · 38 tokens" in report.out
