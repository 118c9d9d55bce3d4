"""Every failure a user can cause has words and an exit code; with --json it is a document, too."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sv.cli.failures import KINDS, explain, report_failures
from edge_sv.errors import AccuracyGateFailed, DataError, DoesNotFit, EdgeSvError, ToolMissing, UsageError
from tests.cli.commands import BEA, Run


def fail(error: BaseException, *, as_json: bool = False) -> int:
    def run() -> None:
        raise error

    return report_failures(run, as_json=as_json)


@pytest.mark.parametrize("kind", [EdgeSvError, UsageError, DataError, DoesNotFit, AccuracyGateFailed, ToolMissing])
def test_an_error_is_a_document(kind: type[EdgeSvError], capsys: pytest.CaptureFixture[str]) -> None:
    error = kind("it failed", details={"got": "3"}, hint="try 4")
    assert fail(error, as_json=True) == kind.exit_code
    out, err = capsys.readouterr()
    assert err == "error: it failed\n  got   3\n  try   try 4\n"
    stated = {"kind": KINDS[kind.exit_code], "message": "it failed", "details": {"got": "3"}, "hint": "try 4"}
    assert json.loads(out) == {"schema_version": 1, "error": {**stated, "exit_code": kind.exit_code}}


def test_without_json_stdout_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_a_bug_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(ZeroDivisionError("division by zero"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == "bug"
    assert "Traceback" in err and "edge-sv has a bug: ZeroDivisionError: division by zero" in err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/secret/a.wav"), "cannot use /secret/a.wav"),
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", b"\xe9"), "Is a directory"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_the_system_refuses_is_data(error: Exception, words: str) -> None:
    found = explain(error)
    assert found is not None and found.exit_code == 3 and words in str(found)


def test_usage_errors_of_the_parser_are_documents(run: Run) -> None:
    ran = run("verify", "--no-such-option", "--json")
    assert ran.code == 2 and ran.document["error"]["kind"] == "usage"
    ran = run("verify", "a.print", BEA, "--threshold", "much", "--json")
    assert ran.code == 2 and "--threshold" in ran.document["error"]["message"]
    ran = run("buidl", "--json")
    assert ran.document["error"]["hint"] == "did you mean 'build'?"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["targets"], ["targets", "--json"], ["verify", "none.print", BEA, "--json"]])
def test_a_full_disk_behind_stdout(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_sv", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3 and "error: " in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_reader_that_stops_reading() -> None:
    command = f"{sys.executable} -m edge_sv recipes --json | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout == "{0\n" and done.stderr == ""


def test_a_closed_stdout() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m edge_sv targets >&-"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("a = " + "[" * 100_000),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.mkdir(),
        lambda path: path.write_bytes(b""),
        lambda path: path.symlink_to(path),
    ],
    ids=["nested", "not UTF-8", "a folder", "empty", "a loop"],
)
@pytest.mark.parametrize(
    "command",
    [
        ["recipes", "{bad}"],
        ["train", "{bad}", "--data", "{bad}", "--out", "{out}"],
        ["build", "resnet-nano", "--recipe", "{bad}", "--out", "{out}"],
        ["build", "resnet-nano", "--target", "{bad}", "--out", "{out}"],
        ["build", "{bad}", "--out", "{out}"],
        ["evaluate", "resnet-nano", "--trials", "{bad}", "--audio", "{bad}"],
        ["summary", "{bad}"],
        ["verify", "{bad}", BEA],
        ["wipe", "{bad}"],
        ["enroll", "{out}", "{bad}"],
        ["emulate", "{bad}", "--board", "nrf52840"],
        ["report", "{bad}", "--out", "{out}"],
    ],
    ids=lambda command: " ".join(word for word in command if "{" not in word and "/" not in word),
)
def test_bad_files_everywhere(run: Run, command: list[str], write: object, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    write(bad)  # type: ignore[operator]
    ran = run(*(word.format(bad=bad, out=tmp_path / "out") for word in command))
    assert ran.code in (2, 3, 6), ran
    assert ran.err.startswith("error: ") and ran.out == ""


def test_a_folder_without_search_permission(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.parent.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    for command in (["summary"], ["build"], ["wipe"], ["report", "--out", "out"], ["emulate"], ["enroll", "a.print"]):
        ran = run(*command, tmp_path / "closed" / "net")
        assert ran.code in (2, 3) and ran.err.startswith("error: "), ran


def test_help_is_that_of_the_command(run: Run) -> None:
    assert "try   edge-sv verify --help" in run("verify", "--no-such-option").err
    assert "try   edge-sv analyze drift --help" in run("analyze", "drift").err


def test_ctrl_c_while_a_library_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    """A library's own code catches the interrupt and says that it could not be loaded."""

    def run() -> None:
        try:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as interrupt:
                raise ImportError("initialization failed") from interrupt
        except ImportError as error:
            raise ToolMissing("LiteRT is not usable here") from error

    assert report_failures(run, as_json=False) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [[], ["--json"], ["-v"]])
def test_a_full_disk_behind_stderr(options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "edge_sv", "verify", "none.print", BEA, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True)
    assert done.returncode == 3
    if options == ["--json"]:
        assert json.loads(done.stdout)["error"]["exit_code"] == 3


def test_a_closed_stdin(enrolled: Path) -> None:
    command = f"{sys.executable} -m edge_sv verify {enrolled} - <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 3 and done.stderr.startswith("error: cannot read standard input\n")
