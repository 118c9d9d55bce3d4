"""Targets: what is read, what is refused, what the command prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_sv.cli.app import app
from edge_sv.errors import DataError, UsageError
from edge_sv.package.kind import find_kind
from edge_sv.package.target import Target, list_targets, load_target, template_folder

GOOD = 'description = "a board"\npackage = "tflite-micro"\nconverter = "tflite"\n'


COMMANDS = ("../tools/gcc", "/bin/sh", "-fplugin=x.so", "cortex-m4 -B.", "$(touch pwned)", "a\\nb", "")


def _write(folder: Path, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "target.toml").write_text(text)
    return str(folder / "target.toml")


def test_every_bundled_target_is_readable_and_buildable() -> None:
    targets = list_targets()
    assert {"tflite", "tflite-micro"} <= {target.name for target in targets}
    for target in targets:
        assert load_target(target.name) == target
        assert target.description
        assert find_kind(target.package)


def test_what_is_left_out_is_open() -> None:
    target = load_target("tflite-micro")
    assert (target.flash_bytes, target.ram_bytes, target.cpu, target.fpu) == (None, None, None, None)


def test_a_target_of_ones_own(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "nrf52840", GOOD + 'cpu = "cortex-m4"\nflash_bytes = 1_048_576\nram_bytes = 262_144\nfpu = true\n'
    )
    assert load_target(path) == Target(
        name="nrf52840",
        description="a board",
        package="tflite-micro",
        converter="tflite",
        cpu="cortex-m4",
        flash_bytes=1 << 20,
        ram_bytes=1 << 18,
        fpu=True,
    )


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown target 'tflite-mikro'(.|\n)*did you mean 'tflite-micro'"):
        load_target("tflite-mikro")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + "flash = 1\n", "flash"),
        (GOOD + "ram_bytes = 0\n", "ram_bytes"),
        (GOOD + 'ram_bytes = "256 KB"\n', "ram_bytes"),
        (GOOD + "clock_hz = 64e6\n", "clock_hz"),
        ('description = "no converter"\npackage = "tflite"\n', "converter"),
        ("description = \n", "not TOML"),
        ("\x00", "not TOML"),
        *((GOOD + f'{field} = "{name}"\n', field) for field in ("cpu", "toolchain", "emulator") for name in COMMANDS),
    ],
)
def test_a_bad_file_is_refused_by_field(tmp_path: Path, text: str, named: str) -> None:
    path = _write(tmp_path / "board", text)
    with pytest.raises(DataError, match=named) as caught:
        load_target(path)
    assert "board/target.toml" in caught.value.message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        load_target(str(tmp_path / "target.toml"))


def test_command_prints_all_targets() -> None:
    document = json.loads(CliRunner().invoke(app, ["targets", "--json"]).stdout)
    assert document["schema_version"] == 1
    assert [target["name"] for target in document["targets"]] == [target.name for target in list_targets()]
    table = CliRunner().invoke(app, ["targets"]).stdout
    assert all(target.name in table for target in list_targets())


def test_the_readme_s_example_is_a_target(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "targets" / "README.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    target = load_target(_write(tmp_path / "nrf52840", example))
    assert target == load_target("nrf52840")
    assert all(f"`{name}`" in text for name in Target.__dataclass_fields__ if name != "name")


def test_templates_lie_beside_the_file_or_are_a_bundled_target_s(tmp_path: Path) -> None:
    path = _write(tmp_path / "mine", GOOD + 'templates = "files"\n')
    with pytest.raises(DataError, match="names templates that are not there") as caught:
        load_target(path)
    assert str(tmp_path / "mine" / "files") in caught.value.details["tried"]
    (tmp_path / "mine" / "files").mkdir()
    assert template_folder(load_target(path), "tflite-micro") == (tmp_path / "mine" / "files").resolve()
    bundled = load_target(_write(tmp_path / "other", GOOD + 'templates = "cortex-m"\n'))
    assert template_folder(bundled, "tflite-micro") == template_folder(load_target("cortex-m"), "cortex-m")
    assert template_folder(load_target("tflite"), "tflite").parent.name == "tflite"
