"""What is published holds what it needs, and nothing that merely lay in the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.checkout import copy_checkout

REPOSITORY = Path(__file__).resolve().parents[2]
FOREIGN = (
    "ada.print",
    "edge_sv/me.print",
    "package/manifest.json",
    "chip/src/esv.c",
    ".env",
    "notes.txt",
    "runs/x/net.json",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, in which somebody has followed the README."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    for name in FOREIGN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("secret")
    return folder


def build(source: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("edge_sv-*")
    return made


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, "sdist", tmp_path_factory.mktemp("sdist"))


def test_the_source_distribution_holds_nothing_foreign(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not names & set(FOREIGN) and not [name for name in names if name.endswith(".print")]
    assert {"edge_sv/__init__.py", "targets/common/include/esv.h", "assets/resnet-nano/net.json", "LICENSE"} <= names
    assert {name.split("/")[0] for name in names} & {".git", ".venv", "build", ".ci"} == set()


def test_a_wheel_of_the_source_distribution_is_the_checkouts_wheel(sdist: Path, checkout: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    wheels = [build(folder, "wheel", tmp_path / name) for name, folder in (("a", source), ("b", checkout))]
    names = [sorted(zipfile.ZipFile(wheel).namelist()) for wheel in wheels]
    assert names[0] == names[1] and not [name for name in names[0] if name.endswith(".print")]
    assert any(name.startswith("edge_sv/_assets/voices/") for name in names[0])


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_it_installs_and_starts_without_its_dependencies(sdist: Path, version: str, tmp_path: Path) -> None:
    """Metadata, entry point and syntax hold for each Python; `import edge_sv` needs nothing else."""
    python = find_python(version)
    wheel = build_wheel_of(sdist, tmp_path)
    subprocess.run([python, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    program = "import edge_sv; print(edge_sv.__version__)"
    done = subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    compiled = subprocess.run([tmp_path / "venv" / "bin" / "python", "-m", "compileall", "-q", site / "edge_sv"])
    assert compiled.returncode == 0


def build_wheel_of(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    return build(source, "wheel", folder / "wheel")


def find_python(version: str) -> str:
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}"))
    found = shutil.which(f"python{version}") or (str(pyenv[-1]) if pyenv else None)
    works = found and subprocess.run([found, "-c", "import venv"], capture_output=True).returncode == 0
    if not found or not works:
        pytest.skip(f"no Python {version} here")
    return found
