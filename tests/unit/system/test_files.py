"""Files are whole or not there: after a kill, on a full disk, in a folder that nobody can write to."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.errors import DataError
from edge_sv.system import files
from edge_sv.system.files import (
    atomic_folder,
    open_file,
    read_file,
    sha256_bytes,
    sha256_file,
    write_atomic,
    write_folder,
)

ARGS = "import sys; from pathlib import Path; args = [Path(a) for a in sys.argv[1:]]\n"


def start(script: str, *arguments: Path) -> subprocess.Popen[str]:
    """Start Python on a script that sees its arguments as `args`."""
    command = [sys.executable, "-c", ARGS + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- one file --------------------------------------------------------------------------------------------------------


def test_content_and_permissions_are_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "print.esv"
    for data, mode in ((b"first", 0o600), (b"second, longer", 0o644), (b"", 0o600)):
        write_atomic(path, data, mode=mode)
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert names(path.parent) == ["print.esv"]


def test_the_umask_does_not_widen_or_narrow_permissions(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        write_atomic(tmp_path / "model", b"m")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o644


@pytest.mark.parametrize("place", ["{tmp}/file/print.esv", "{tmp}/file/deeper/print.esv", "/proc/print.esv"])
def test_an_unwritable_place_is_told(tmp_path: Path, place: str) -> None:
    """Permission bits do not stop root; a file in the folder's place and /proc do."""
    (tmp_path / "file").write_text("not a folder")
    path = Path(place.format(tmp=tmp_path))
    for attempt in (lambda: write_atomic(path, b"data"), lambda: _fill(path)):
        with pytest.raises(DataError, match="cannot write") as caught:
            attempt()
        assert str(path) in caught.value.message
        assert caught.value.details["got"]
        assert "choose another place" in (caught.value.hint or "")
    assert names(tmp_path) == ["file"]


def _fill(path: Path) -> None:
    with atomic_folder(path) as folder:
        (folder / "a").write_text("a")


def test_a_folder_in_the_files_place_is_kept(tmp_path: Path) -> None:
    (tmp_path / "print.esv").mkdir()
    with pytest.raises(DataError, match="cannot write"):
        write_atomic(tmp_path / "print.esv", b"data")
    assert names(tmp_path) == ["print.esv"]


WRITE_FILE = """
def write():
    write_atomic(args[0] / "print.esv", bytes(1 << 20))
"""
WRITE_FOLDER = """
def write():
    with atomic_folder(args[0] / "package") as folder:
        (folder / "model").write_bytes(bytes(1 << 20))
"""
RUN = """
from edge_sv.errors import DataError
from edge_sv.system.files import atomic_folder, write_atomic
try:
    write()
    print("written")
except DataError as error:
    print(error)
"""
STOP_AT_64_KIB = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
"""
DIE_AT_64_KIB = (
    STOP_AT_64_KIB
    + """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
"""
)


def old_versions(folder: Path) -> None:
    write_atomic(folder / "print.esv", b"old")
    (folder / "package").mkdir()
    (folder / "package" / "model").write_bytes(b"old")


def check_old_versions(folder: Path) -> None:
    assert (folder / "print.esv").read_bytes() == b"old"
    assert names(folder / "package") == ["model"]
    assert (folder / "package" / "model").read_bytes() == b"old"


@pytest.mark.parametrize("write", [WRITE_FILE, WRITE_FOLDER], ids=["file", "folder"])
def test_a_kill_in_the_middle_of_a_write_leaves_the_old_version(tmp_path: Path, write: str) -> None:
    """The kernel kills the process once 64 KiB of the new version are in the file."""
    old_versions(tmp_path)
    child = start(DIE_AT_64_KIB + write + RUN, tmp_path)
    assert child.communicate()[0] == ""
    assert child.returncode == -signal.SIGXFSZ
    check_old_versions(tmp_path)
    partial = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size == 1 << 16]
    assert len(partial) == 1
    assert partial[0].relative_to(tmp_path).parts[0].startswith(".")


@pytest.mark.parametrize("write", [WRITE_FILE, WRITE_FOLDER], ids=["file", "folder"])
def test_a_write_that_fails_half_way_leaves_the_old_version(tmp_path: Path, write: str) -> None:
    """The kernel refuses more than 64 KiB, wherever this runs."""
    old_versions(tmp_path)
    output = start(STOP_AT_64_KIB + write + RUN, tmp_path).communicate()[0]
    assert output.startswith(f"cannot write {tmp_path}")
    assert "File too large" in output
    assert "free some space" in output
    check_old_versions(tmp_path)
    assert names(tmp_path) == ["package", "print.esv"]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux) to mount a small disk")
@pytest.mark.parametrize("write", [WRITE_FILE, WRITE_FOLDER], ids=["file", "folder"])
def test_a_full_disk_leaves_the_old_version(tmp_path: Path, write: str) -> None:
    """A disk of 64 KiB is mounted for one process; what that leaves on it is copied out before the disk goes."""
    disk, result = tmp_path / "disk", tmp_path / "result"
    disk.mkdir()
    old_versions(result)
    steps = (
        f"mount -t tmpfs -o size=64k none {disk} || exit 77; cp -r {result}/. {disk}; "
        f'{sys.executable} -c "$0" {disk}; rm -r {result}; cp -r {disk} {result}'
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", steps, ARGS + write + RUN], capture_output=True, text=True)
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"this container may not mount a disk: {done.stderr.strip()}")
    assert done.stdout.startswith(f"cannot write {disk}"), done.stdout + done.stderr
    assert "No space left on device" in done.stdout
    assert "free some space" in done.stdout
    check_old_versions(result)
    assert names(result) == ["package", "print.esv"]


# --- a folder --------------------------------------------------------------------------------------------------------


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "package"
    with atomic_folder(place) as folder:
        (folder / "model").write_text("one")
        assert not place.exists()
    assert names(place) == ["model"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert names(place.parent) == ["package"]


def test_an_existing_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "package"
    for name in ("old", "new"):
        with atomic_folder(place) as folder:
            (folder / name).write_text(name)
    assert names(place) == ["new"]
    assert names(tmp_path) == ["package"]


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), DataError("no")])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: BaseException) -> None:
    place = tmp_path / "package"
    place.mkdir()
    (place / "old").write_text("old")
    with pytest.raises(type(failure)), atomic_folder(place) as folder:
        (folder / "new").write_text("new")
        raise failure
    assert names(place) == ["old"]
    assert names(tmp_path) == ["package"]


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="there is a file of this name"):
        _fill(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_missing_input_is_not_called_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "package"):
        (tmp_path / "input").read_bytes()
    assert names(tmp_path) == []


def test_an_interrupt_while_filling_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    script = """
import time
from edge_sv.system.files import atomic_folder
with atomic_folder(args[0] / "package") as folder:
    (folder / "model").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""
    child = start(script, tmp_path)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in child.communicate()[0]
    assert names(tmp_path) == []


# --- checksums -------------------------------------------------------------------------------------------------------


def test_checksums_are_sha256(tmp_path: Path) -> None:
    """Source: NIST FIPS 180-4 example, the message "abc"."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_bytes(b"abc") == sha256_file(tmp_path / "abc") == expected
    large = os.urandom(3 << 20)
    (tmp_path / "large").write_bytes(large)
    assert sha256_file(tmp_path / "large") == hashlib.sha256(large).hexdigest()


# --- what belongs to others -------------------------------------------------------------------------------------------


def test_what_is_not_of_the_old_folder_goes_into_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    write_folder(folder, {"model": b"old", "src/a.c": b"old", "src/gone.c": b"old"})
    for name in (".git/objects/ab", "notes.txt", "src/mine.c", "data/x/y"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "link").symlink_to(tmp_path)
    write_folder(folder, {"model": b"new", "src/a.c": b"new"}, own=["model", "src/a.c", "src/gone.c"])
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    mine = dict.fromkeys((".git/objects/ab", "notes.txt", "src/mine.c", "data/x/y"), b"mine")
    assert found == {"model": b"new", "src/a.c": b"new", **mine}
    assert (folder / "link").readlink() == tmp_path
    assert names(tmp_path) == ["package"]


@pytest.mark.parametrize("place", ["README", "src", "src/a.c"])
def test_a_new_file_does_not_take_the_place_of_what_is_not_ours(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "package"
    write_folder(folder, {"model": b"old"})
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_text("mine")
    with pytest.raises(DataError, match="in the way"):
        write_folder(folder, {"model": b"new", "README": b"new", "src/a.c": b"new"}, own=["model"])
    assert (folder / "model").read_bytes() == b"old" and (folder / place).read_text() == "mine"
    assert names(tmp_path) == ["package"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "print").symlink_to(tmp_path / "far" / "print")
    (tmp_path / "package").symlink_to(tmp_path / "far" / "package")
    for content in (b"first", b"second"):
        write_atomic(tmp_path / "print", content)
        write_folder(tmp_path / "package", {"model": content})
        assert (tmp_path / "far" / "print").read_bytes() == content
        assert (tmp_path / "far" / "package" / "model").read_bytes() == content
    assert (tmp_path / "print").is_symlink() and (tmp_path / "package").is_symlink()
    assert names(tmp_path / "far") == ["package", "print"]


def test_contents_and_names_are_on_the_disk_before_the_function_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    synchronize, rename = os.fsync, os.rename

    def fsync(handle: int) -> None:
        order.append(Path(f"/proc/self/fd/{handle}").readlink().name.lstrip(".").partition(".")[0])
        synchronize(handle)

    def note(source: str, target: str) -> None:
        order.append("moved")
        rename(source, target)

    monkeypatch.setattr(files.os, "fsync", fsync)
    monkeypatch.setattr(files.os, "replace", note)
    monkeypatch.setattr(files.os, "rename", note)
    write_atomic(tmp_path / "print", b"x")
    assert order == ["print", "moved", tmp_path.name]
    order.clear()
    write_folder(tmp_path / "package", {"src/a": b"x"})
    assert order[-1] == tmp_path.name and order[-2] in ("moved", "package")
    assert {"a", "src"} <= set(order)


@pytest.mark.parametrize("read", [read_file, open_file])
def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, words in ((tmp_path / "pipe", "a pipe"), (tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(OSError, match=words):
            read(place)


def test_a_file_beyond_a_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 1,000"):
        read_file(tmp_path / "large", limit=1000)


def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(DataError, match=name) as caught:
            write_atomic(tmp_path / name, b"1")
        assert caught.value.details == {"got": "it is a pipe, not a file"}
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.wav", "/lists/a.wav"),
        ("/b/a.wav", "/b/a.wav"),
        ("~/a.wav", "/home/ada/a.wav"),
        ("~", "/home/ada"),
        ("a~", "/lists/a~"),
        ("~nobody-of-this-name/a", "/lists/~nobody-of-this-name/a"),
    ],
)
def test_paths_in_lists(name: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(files.path_below(Path("/lists"), name)) == wanted
