import os
import stat
import sys
from pathlib import Path

import pytest

from tta_observe.local import paths
from tta_observe.local.errors import StoreRefused
from tta_observe.local.paths import on_network, prepare, store_path, writable_path


def mode(path):
    """Who may do what, e.g. 0o600."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(name="_umask")
def _usual_umask():
    """What most machines run with: files are readable by everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_given_path_wins(tmp_path):
    """
    What is written in the program is meant.
    """
    assert tmp_path / "a.db" == store_path(tmp_path / "a.db", {"TTA_OBSERVE_STORE": "/b.db"})


def test_environment_comes_next():
    """
    Someone who may not edit the program can still say where to.
    """
    assert Path("/b.db") == store_path(None, {"TTA_OBSERVE_STORE": "/b.db", "XDG_STATE_HOME": "/state"})


def test_home_and_relative_paths_are_resolved(monkeypatch, tmp_path):
    """
    A shell does not expand ~ in a variable, and a program may change its directory later.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert tmp_path / "s.db" == store_path("~/s.db", {})
    assert tmp_path / "s.db" == store_path("s.db", {})


@pytest.mark.parametrize(
    ("expected", "platform", "environ"),
    [
        ("/state/tta_observe/store.db", "linux", {"XDG_STATE_HOME": "/state"}),
        ("/home/a/.local/state/tta_observe/store.db", "linux", {"XDG_STATE_HOME": "relative"}),
        ("/home/a/.local/state/tta_observe/store.db", "linux", {"TTA_OBSERVE_STORE": ""}),
        ("/home/a/Library/Application Support/tta_observe/store.db", "darwin", {"XDG_STATE_HOME": "/state"}),
        ("/local/tta_observe/store.db", "win32", {"LOCALAPPDATA": "/local"}),
        ("/home/a/AppData/Local/tta_observe/store.db", "win32", {}),
    ],
)
def test_default_is_where_the_platform_keeps_such_things(monkeypatch, expected, platform, environ):
    """
    Program and report find the same store without being told, and backups and clean-ups know the place.
    """
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setattr(sys, "platform", platform)

    assert Path(expected) == store_path(None, environ)


@pytest.mark.usefixtures("_umask")
def test_only_the_owner_may_read(tmp_path):
    """
    Error messages and labels of a program are nobody else's business.
    """
    path = tmp_path / "state" / "tta_observe" / "store.db"
    prepare(path)

    assert 0o600 == mode(path)
    assert 0o700 == mode(path.parent)


@pytest.mark.usefixtures("_umask")
def test_wider_permissions_are_narrowed(tmp_path):
    """
    A store that was copied or restored comes back readable by everybody.
    """
    path = tmp_path / "tta_observe" / "store.db"
    path.parent.mkdir(mode=0o755)
    path.touch(0o644)
    prepare(path)

    assert 0o600 == mode(path)
    assert 0o700 == mode(path.parent)


def test_directory_of_someone_else_keeps_its_mode(tmp_path):
    """
    ``store="/tmp/x.db"`` must not close /tmp for everybody.
    """
    tmp_path.chmod(0o755)
    prepare(tmp_path / "store.db")

    assert 0o755 == mode(tmp_path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_symbolic_link_is_refused(tmp_path, suffix):
    """
    In a directory that others may write to, a link sends our data, or our writes, wherever they like.
    """
    target = tmp_path / "precious"
    target.write_text("keep me")
    (tmp_path / f"store.db{suffix}").symlink_to(target)
    with pytest.raises(StoreRefused, match=f"is a symbolic link. Name what it points to instead: {target}"):
        prepare(tmp_path / "store.db")

    assert "keep me" == target.read_text()


def test_symbolic_link_to_a_directory_is_refused(tmp_path):
    """
    The same, one level up.
    """
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tta_observe").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreRefused, match="symbolic link"):
        prepare(tmp_path / "tta_observe" / "store.db")

    assert [] == list((tmp_path / "elsewhere").iterdir())


def test_file_of_another_user_is_refused(tmp_path, monkeypatch):
    """
    Whoever put it into a shared directory could read all that we write to it.
    """
    path = tmp_path / "store.db"
    prepare(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(StoreRefused, match="belongs to another user"):
        prepare(path)


def test_directory_in_place_of_the_file_is_refused(tmp_path):
    """
    ``--store .`` is an easy mistake; the message says what to write.
    """
    with pytest.raises(StoreRefused, match=rf"is not a regular file. Name a file .* {tmp_path}/store.db"):
        prepare(tmp_path)


def test_writable_store_has_no_problem(tmp_path):
    """
    The usual case says nothing.
    """
    assert (tmp_path / "store.db", None) == writable_path(tmp_path / "store.db")


def in_a_file(tmp_path, monkeypatch):
    """A directory that cannot be made, not even by root."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "store.db"


def read_only(tmp_path, monkeypatch):
    """A file that may be read only."""
    (tmp_path / "store.db").touch()
    monkeypatch.setattr(os, "access", lambda path, how: False)
    return tmp_path / "store.db"


def linked(tmp_path, monkeypatch):
    """A file that is refused."""
    (tmp_path / "store.db").symlink_to(tmp_path / "other.db")
    return tmp_path / "store.db"


@pytest.mark.parametrize("unusable", [in_a_file, read_only, linked])
def test_private_temporary_store_when_it_cannot_be_written(tmp_path, monkeypatch, unusable):
    """
    Containers have read-only homes: the program runs, its telemetry is somewhere, and one line says where.
    """
    given = unusable(tmp_path, monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path, problem = writable_path(given)

    assert tmp_path == path.parent.parent
    assert (0o600, 0o700) == (mode(path), mode(path.parent))
    assert str(given.parent) in problem
    assert str(path) in problem


def test_private_temporary_store_without_a_home(tmp_path, monkeypatch):
    """
    Some containers run as a user that no password file knows.
    """

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path, problem = writable_path(None, {})

    assert path.exists()
    assert problem.startswith("Could not determine home directory.")


MOUNTS = """\
/dev/sda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/local ext4 rw 0 0
//nas/a /mnt/with\\040space cifs rw 0 0
host: /mnt/ssh fuse.sshfs rw 0 0
drive /mnt/wsl 9p rw 0 0
"""


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        (False, "/var/store.db"),
        (True, "/home/a/store.db"),
        (False, "/homeless/store.db"),
        (False, "/home/local/store.db"),
        (True, "/mnt/with space/store.db"),
        (True, "/mnt/ssh"),
        (True, "/mnt/wsl/a"),
    ],
)
def test_network_file_systems_are_known(expected, path):
    """
    The WAL of SQLite needs memory shared by all processes; over a network it loses data.
    """
    assert expected is on_network(Path(path), MOUNTS)


def test_without_a_list_of_mounts_a_path_is_local(tmp_path, monkeypatch):
    """
    There is no /proc on macOS and Windows.
    """
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError()))

    assert not paths.on_network(tmp_path)
