"""Where a store lies, and what its file and directory must be like."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tta_observe.local.errors import StoreError, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "store.db"
"""What a store is called where nobody said otherwise."""

SIDECARS: Final = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a file that is in use."""

_DIRECTORY: Final = "tta_observe"
_NETWORK: Final = re.compile(
    r"nfs\d?|cifs|smb\w*|9p|afs|ceph|glusterfs|lustre|ncpfs|fuse\.(sshfs|glusterfs|s3fs|rclone|gcsfuse|cephfs).*|virtiofs"
)


def store_path(given: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """
    The store to use: *given*, else ``TTA_OBSERVE_STORE``, else the one in the platform's state directory.

    Looks at nothing on disk.

    Raises:
        RuntimeError: none was given and there is no home directory.
    """
    named = given or environ.get("TTA_OBSERVE_STORE")
    return Path(named).expanduser().absolute() if named else _state_directory(environ) / _DIRECTORY / FILE_NAME


def writable_path(
    given: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Path, str | None]:
    """
    :func:`store_path` once its file can be written, else one in a new private directory, and what was wrong.

    The file is there afterwards, readable by its owner only.

    Raises:
        OSError: there is no temporary directory either.
    """
    try:
        path = store_path(given, environ)
        prepare(path)
    except (OSError, RuntimeError, StoreError) as error:
        path = Path(tempfile.mkdtemp(prefix=f"{_DIRECTORY}_")) / FILE_NAME
        prepare(path)
        return path, f"{error} Telemetry goes to {path} meanwhile; set TTA_OBSERVE_STORE to a file that can be written."
    return path, None


def prepare(path: Path) -> None:
    """
    Make sure that *path* is a file of ours that nobody else can read, in a directory that exists.

    Never opens a file that is there: closing it again would drop the locks SQLite holds on it in this process.

    Raises:
        StoreRefused: it, its directory or a file beside it is a symbolic link, or it belongs to someone else.
        OSError: it cannot be written.
    """
    _prepare_directory(path.parent)
    for file in (path, *(path.with_name(path.name + suffix) for suffix in SIDECARS)):
        _refuse_link(file)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600))
    except FileExistsError:
        _prepare_existing(path)


def on_network(path: Path, mounts: str | None = None) -> bool:
    """Whether *path* lies on a network file system, by the text of ``/proc/mounts``; False where there is none."""
    target = os.path.realpath(path)
    best, kind = "", ""
    for line in (_mounts() if mounts is None else mounts).splitlines():
        _, mount, kind_here, *_ = line.split(" ")
        mount = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), mount)
        if len(mount) >= len(best) and f"{target}/".startswith(f"{mount.rstrip('/')}/"):
            best, kind = mount, kind_here
    return _NETWORK.fullmatch(kind) is not None


def _state_directory(environ: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = Path(environ.get("XDG_STATE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".local" / "state"  # XDG: relative ones are to be ignored


def _prepare_directory(directory: Path) -> None:
    _refuse_link(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A directory that someone else chose and made, such as /tmp, keeps its mode.
    if directory.name == _DIRECTORY and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        directory.chmod(0o700)


def _prepare_existing(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreRefused(path, f"{path} is not a regular file. Name a file for the store, e.g. {path / FILE_NAME}.")
    if hasattr(os, "geteuid") and os.geteuid() not in (0, found.st_uid):
        raise StoreRefused(path, f"{path} belongs to another user. Name a store of your own.")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(f"{path} cannot be written.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o600)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        target = os.path.realpath(path)
        raise StoreRefused(path, f"{path} is a symbolic link. Name what it points to instead: {target}.")


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
