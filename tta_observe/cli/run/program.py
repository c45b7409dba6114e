"""The program to run: found as Python itself would find it, and given the ``__main__`` that it would have."""

from __future__ import annotations

import io
import os
import pkgutil
import runpy
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from importlib.machinery import BuiltinImporter, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from tta_observe._patching.finding import can_be_imported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec

MAIN: Final = "__main__"


class CannotRun(Exception):  # noqa: N818 - it is what happened to the user, not to us
    """There is no such program; *code* is what Python itself would end with."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Source:
    """What is executed: *text*, or *code* where there is no text; *names* are those of ``__main__`` before it runs."""

    names: dict[str, Any]
    file: str
    text: bytes | str | None
    code: CodeType | None = None

    def compiled(self) -> CodeType:
        """The code as it stands."""
        return compile(self.text, self.file, "exec", dont_inherit=True) if self.code is None else self.code  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was named on the command line."""

    names: tuple[str, ...]
    """What its main module may be called, beside ``__main__``; the first is the name of the program."""
    argv: list[str]
    first_path: str
    """The first entry of ``sys.path``."""
    near: Path
    """Where its configuration may be."""
    load: Callable[[], Source]
    """Finds and reads it; packages around a module are imported. Raises :class:`CannotRun`."""

    def enter(self) -> None:
        """Set the arguments and the path as the program expects them."""
        sys.argv[:] = self.argv
        if not getattr(sys.flags, "safe_path", False):
            sys.path[0] = self.first_path

    def main_names(self) -> tuple[str, ...]:
        """What a pattern may call its main module: of a package that is not the package itself."""
        return tuple(name for name in self.names if not can_be_imported(f"{name}.{MAIN}"))


def find(words: Sequence[str]) -> Program:
    """
    What ``SCRIPT ARGS…``, ``-m MODULE ARGS…`` or ``-c CODE ARGS…`` means.

    Raises:
        CannotRun: nothing, or nothing that is there.
    """
    first, *rest = words
    make = {"-m": _module, "-c": _command}.get(first[:2])
    if make is None:
        return _script(first, rest)
    operand, *arguments = [first[2:], *rest] if first[2:] else (rest or [""])
    if not operand:
        raise CannotRun(f"{first} needs {'a module' if first == '-m' else 'code'} after it.", 2)
    return make(operand, arguments)


def make_main(source: Source, name: str) -> ModuleType:
    """An empty module for *source*, in its place among the modules."""
    module = ModuleType(name)
    if sys.version_info < (3, 14):
        vars(module)["__annotations__"] = {}
    vars(module).update({"__builtins__": sys.modules["builtins"], **source.names, "__name__": name})
    sys.modules[name] = module
    return module


def source_of_file(path: str, names: dict[str, Any]) -> Source:
    """
    The script at *path*.

    Raises:
        CannotRun: it cannot be read.
    """
    try:
        with io.open_code(path) as file:
            return Source({**names, "__file__": path, "__cached__": None}, path, file.read())
    except OSError as error:
        raise CannotRun(f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}", 2) from None


def source_of_module(name: str) -> Source:
    """
    The module *name*, or ``__main__`` of the package.

    Raises:
        CannotRun: there is none.
    """
    try:  # as pdb does it; what Python itself calls for -m is this very function
        _, spec, code = runpy._get_module_details(name)  # type: ignore[attr-defined]  # noqa: SLF001
    except ImportError as error:
        raise CannotRun(str(error)) from None
    return _source_of_spec(spec, code)


def _script(given: str, arguments: Sequence[str]) -> Program:
    path = given if Path(given).exists() else _on_path(given)
    absolute = _from_here(path)
    argv = [path, *arguments]
    importer = pkgutil.get_importer(absolute)
    if importer is not None:  # a directory or an archive
        spec = importer.find_spec(MAIN)
        if spec is None:
            raise CannotRun(f"can't find {MAIN!r} module in {absolute!r}")
        return Program((Path(given).stem,), argv, absolute, Path(absolute), partial(_source_of_archive, spec))
    names = {"__doc__": None, "__package__": None, "__spec__": None, "__loader__": SourceFileLoader(MAIN, absolute)}
    home = Path(os.path.realpath(path)).parent
    return Program((Path(given).stem,), argv, str(home), home, partial(source_of_file, absolute, names))


def _module(name: str, arguments: Sequence[str]) -> Program:
    def load() -> Source:
        source = source_of_module(name)
        sys.argv[0] = source.file
        return source

    names = (name, f"{name}.{MAIN}")
    return Program(names, ["-m", *arguments], _from_here(""), Path(), load)


def _command(code: str, arguments: Sequence[str]) -> Program:
    names = {"__doc__": None, "__package__": None, "__spec__": None, "__loader__": BuiltinImporter}
    source = Source(names, "<string>", code + "\n")
    return Program(("command",), ["-c", *arguments], "", Path(), lambda: source)


def _source_of_archive(spec: ModuleSpec) -> Source:
    loader: Any = spec.loader
    return _source_of_spec(spec, loader.get_code(MAIN))


def _source_of_spec(spec: Any, code: CodeType) -> Source:
    names = {
        "__doc__": None,
        "__package__": spec.parent,
        "__spec__": spec,
        "__loader__": spec.loader,
        "__file__": spec.origin,
        "__cached__": spec.cached,
    }
    return Source(names, code.co_filename, _text(spec), code)


def _text(spec: Any) -> str | None:
    try:
        found = spec.loader.get_source(spec.name)
    except (AttributeError, ImportError):  # nothing but bytecode
        return None
    return found if isinstance(found, str) else None


def _on_path(given: str) -> str:
    """
    The console script *given*, such as ``gunicorn``.

    Raises:
        CannotRun: there is none, it is not written in Python, or belongs to another one.
    """
    found = None if os.sep in given else shutil.which(given)
    if found is None:
        raise CannotRun(f"can't open file {_from_here(given)!r}: [Errno 2] No such file or directory", 2)
    interpreter = _interpreter_of(found)
    if interpreter is None:
        raise CannotRun(f"{found} is no Python script. Name a script, or a module with -m.", 2)
    if not _is_this_python(interpreter):
        raise CannotRun(f"{found} runs with {interpreter}, not with {sys.executable}. Install tta-observe there.", 2)
    return found


def _from_here(path: str) -> str:
    try:
        return os.path.join(os.getcwd(), path) if path else os.getcwd()  # noqa: PTH109, PTH118 - not tidied up either
    except OSError:  # the working directory has been removed
        return path


def _interpreter_of(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            first, second = file.readline(512), file.readline(512)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    # The path may be too long for the first line: then pip has a shell read it from the second.
    line = second.replace(b"'''exec' ", b"").strip() if first.rstrip().endswith(b"/sh") else first[2:].strip()
    words = [word.strip('"') for word in os.fsdecode(line).split()]
    named = words[1:2] if words and words[0].endswith("/env") else words[:1]
    return next((word for word in named if "python" in Path(word).name), None)


def _is_this_python(interpreter: str) -> bool:
    if os.sep not in interpreter:
        return True
    return os.path.realpath(Path(interpreter).parent) == os.path.realpath(Path(sys.executable).parent)
