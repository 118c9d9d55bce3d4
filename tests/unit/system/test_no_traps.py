"""What lies in a file's place and is none, a pipe or a device without an end, is an error at once for every reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sv.analysis.summary import summarize_model
from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.locate import locate
from edge_sv.artifacts.net import read_net
from edge_sv.errors import EdgeSvError
from edge_sv.package import read_package
from edge_sv.package.net_only import read_net_only
from edge_sv.package.target import load_target
from edge_sv.recipes.reading import read_recipe
from edge_sv.scoring.speech_index import read_index
from edge_sv.scoring.trials import read_trials
from edge_sv.system.bundled import assets_dir
from edge_sv.system.npz import read_arrays
from edge_sv.training.config import read_config
from edge_sv.verification.voice_print import is_print, load_print, wipe_print

ARTIFACT = assets_dir() / "resnet-nano" / "static_wi8_ai8"
READERS: dict[str, Callable[[Path], object]] = {
    "target.toml": lambda path: load_target(str(path)),
    "recipe.toml": read_recipe,
    "train.toml": read_config,
    "trials.txt": read_trials,
    "index.csv": read_index,
    "a.npz": read_arrays,
    "net.tflite": read_net_only,
    "package.tflite": read_package,
    "summary.tflite": lambda path: summarize_model(str(path)),
    "any.tflite": lambda path: locate(str(path)),
    "artifact.json": lambda path: load_artifact(path.parent),
    "net.json": lambda path: read_net(path.parent),
    "manifest.json": lambda path: read_package(path.parent),
    "ada.print": load_print,
    "bea.print": is_print,
    "carl.print": wipe_print,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("trap", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_a_trap_is_refused(tmp_path: Path, name: str, trap: Callable[[Path], object]) -> None:
    trap(tmp_path / name)
    if name == "any.tflite":
        assert READERS[name](tmp_path / name)  # found to be no model
        return
    with pytest.raises(EdgeSvError):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("file", ["artifact.json", "model.tflite", "cohort.npz"])
def test_a_trap_in_a_folder_is_refused(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(ARTIFACT, folder)
    place = next(iter(sorted(folder.glob(f"{file}*"))), None)
    if place is None:
        pytest.skip(f"this artifact has no {file}")
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(EdgeSvError):
        load_artifact(folder)
