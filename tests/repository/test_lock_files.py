"""The lock files name versions and no place, agree with each other and cover what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = sorted((REPOSITORY / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
LINE = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; [a-z_]+ == '\w+'( and [a-z_]+ == '\w+')*)?")
EXTRAS_IN = {
    "base": [],
    "image": ["train", "micro", "plot"],
    "dev": ["train", "micro", "plot", "analyze", "benchmarks", "docs", "dev"],
}


def pins(lock: str) -> dict[str, str]:
    """Map the packages of a lock to their versions."""
    lines = (REPOSITORY / "requirements" / f"{lock}.lock").read_text().splitlines()
    requirements = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_names_versions_and_no_index(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not LINE.fullmatch(line)] == []


@pytest.mark.parametrize("lock", EXTRAS_IN)
def test_covers_the_project(lock: str) -> None:
    wanted = PROJECT["dependencies"] + [r for e in EXTRAS_IN[lock] for r in PROJECT["optional-dependencies"][e]]
    pinned = pins(lock)
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}.lock; run scripts/lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} but {lock}.lock has {version}"


def test_base_is_part_of_image_and_image_of_dev() -> None:
    base, image, dev = pins("base"), pins("image"), pins("dev")
    assert base.items() <= image.items() <= dev.items()


def test_base_has_no_tensorflow() -> None:
    assert not [name for name in pins("base") if "tensorflow" in name or "keras" in name]
