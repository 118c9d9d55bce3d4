"""`edge-sv build` and `edge-sv convert` as people and scripts meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sv.artifacts.artifact import save_artifact
from edge_sv.cli.build import parse_size
from edge_sv.errors import UsageError
from tests.nets import convert, make_float_net


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_float_net(tmp_path_factory.mktemp("nets") / "tiny")
    save_artifact(folder / "static_wi8_ai8", convert(folder))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def edge_sv(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_sv", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("target", ["tflite-micro", "tflite"])
def test_json_says_what_was_built(net: Path, work: Path, tmp_path: Path, target: str) -> None:
    done = edge_sv("build", net, "--target", target, "--out", tmp_path / "p", "--work", work, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1 and told["bit_exact"] is True and told["cosine_to_float"] > 0.99
    assert told["package"] == str(tmp_path / "p") and (tmp_path / "p" / "manifest.json").is_file()
    assert told["flash_bytes"] >= told["model_bytes"] > 5_000
    assert (told["arena_bytes"] is not None) == (target == "tflite-micro")
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["compress", "convert", "check", "package"]


def test_people_are_told_too(net: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv("build", net, "--out", tmp_path / "p", "--work", work)
    assert done.returncode == 0, done.stderr
    assert "arena" in done.stdout and "cosine to float" in done.stdout
    again = edge_sv("build", net, "--out", tmp_path / "p", "--work", work)
    assert again.stdout == done.stdout and again.stderr.count("unchanged") == 4


def test_dry_run_writes_nothing(net: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv("build", net, "--out", tmp_path / "p", "--work", work, "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert told["dry_run"] is True and told["fits"] is True and told["arena_bytes"] > 1_000
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_too_large_is_exit_4(net: Path, work: Path, tmp_path: Path, dry: list[str]) -> None:
    done = edge_sv("build", net, "--out", tmp_path / "p", "--work", work, "--max-ram", "1KB", *dry)
    assert done.returncode == 4
    assert "bytes of RAM too many" in done.stderr and "most activations" in done.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--target", "tflite-micr"], 2, "did you mean 'tflite-micro'"),
        (["--recipe", "static_wi8"], 2, "did you mean 'static_wi8_ai8'"),
        (["--max-flash", "much"], 2, "is not a size"),
        (["--data", "absent.csv"], 3, "absent.csv"),
        (["--out", "/proc/nowhere/package"], 3, "/proc/nowhere"),
    ],
)
def test_mistakes_have_words_and_codes(net: Path, work: Path, arguments: list[str], code: int, told: str) -> None:
    done = edge_sv("build", net, "--work", work, *arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


def test_an_unwritable_work_folder_is_told(net: Path) -> None:
    done = edge_sv("build", net, "--work", "/proc/nowhere")
    assert done.returncode == 3 and "cannot write /proc/nowhere" in done.stderr


def test_unknown_model_is_a_usage_error(work: Path) -> None:
    done = edge_sv("build", "resnet-nanoo", "--work", work)
    assert done.returncode == 2 and "unknown model 'resnet-nanoo'" in done.stderr


def test_convert_needs_a_float_net_and_data(net: Path, tmp_path: Path) -> None:
    done = edge_sv("convert", net / "static_wi8_ai8", "--data", tmp_path / "index.csv")
    assert done.returncode == 2 and "wanted   a float net" in done.stderr
    done = edge_sv("convert", net, "--data", tmp_path / "index.csv")
    assert done.returncode == 3 and "index.csv" in done.stderr


@pytest.mark.parametrize(
    ("text", "size"), [("256KB", 262144), ("1mb", 1048576), ("1.5 KB", 1536), ("300", 300), ("2K", 2048), ("7B", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--max-ram") == size


@pytest.mark.parametrize("text", ["", "KB", "-1KB", "1GB", "1 2"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="--max-ram"):
        parse_size(text, "--max-ram")
