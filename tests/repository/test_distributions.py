"""What is published holds what it needs and nothing that merely lay in the checkout, and installs on every Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.checkout import copy_checkout
from tests.cli.environments import Environment

REPOSITORY = Path(__file__).resolve().parents[2]
FOREIGN = (
    ".env",
    ".venv/lib/secret.py",
    "ada.print",
    "assets/resnet-nano/ada.print",
    "build/edge_sv/secret.py",
    "chip/src/esv.c",
    "docs/ada.print",
    "edge_sv/ada.print",
    "edge_sv/__pycache__/secret.pyc",
    "notes.txt",
    "package/manifest.json",
    "runs/x/net.json",
    "site/index.html",
)
VERSIONS = ("3.11", "3.12", "3.13")
NEEDED = ("__init__.py", "cli/app.py", "py.typed", "_targets/common/include/esv.h", "_assets/resnet-nano/net.json")
LINK = re.compile(r"\]\(([^)]+)\)")
WRITTEN = re.compile(r"^\$ edge-sv .*--(?:out|plot) (\S+)|^\$ edge-sv enroll (\S+\.print)", re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, in which somebody has followed the README."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    for name in FOREIGN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("secret")
    return folder


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(checkout, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that a package index's user gets from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    return build(source, "wheel", folder / "made")


def build(source: Path, kind: str, out: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("edge_sv-*")
    return made


def test_the_source_distribution_holds_nothing_foreign(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        secret = [
            member.name for member in archive if member.isfile() and archive.extractfile(member).read() == b"secret"
        ]
    assert not names & set(FOREIGN) and not secret
    assert {"edge_sv/__init__.py", "targets/common/include/esv.h", "assets/resnet-nano/net.json", "LICENSE"} <= names
    assert {name.split("/")[0] for name in names}.isdisjoint({".git", ".venv", ".ci", "build", "dist"})


def test_a_wheel_of_the_source_distribution_is_the_checkouts_wheel(wheel: Path, checkout: Path, tmp_path: Path) -> None:
    of_checkout = build(checkout, "wheel", tmp_path)
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(of_checkout) as other:
        contents = [{name: archive.read(name) for name in archive.namelist()} for archive in (one, other)]
    assert contents[0] == contents[1]
    names = set(contents[0])
    assert {f"edge_sv/{name}" for name in NEEDED} <= names and "edge_sv_converters/__init__.py" in names
    assert any(name.startswith("edge_sv/_assets/voices/") for name in names)
    assert not [name for name in names if name.endswith(".print") or "secret" in name or name.startswith("tests/")]


def read_metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_readme_of_a_package_index_has_no_links_into_a_checkout(wheel: Path) -> None:
    readme = (REPOSITORY / "README.md").read_text()
    shown = str(read_metadata(wheel).get_payload())
    links = LINK.findall(shown)
    assert len(links) == len(LINK.findall(readme)) > 10
    assert not [link for link in links if not link.startswith(("https://", "#"))]
    home = "https://github.com/edge-sv/edge-sv/blob/main/"
    paths = [link.removeprefix(home).partition("#")[0] for link in links if link.startswith(home)]
    assert paths and not [path for path in paths if not (REPOSITORY / path).exists()]


def test_metadata_names_what_people_look_for(wheel: Path) -> None:
    metadata = read_metadata(wheel)
    assert metadata["Version"] == version("edge-sv") and metadata["License-Expression"] == "Apache-2.0"
    stated = {line.rsplit(" ", 1)[1] for line in metadata.get_all("Classifier", []) if "Python :: 3." in line}
    assert stated == set(VERSIONS)
    urls = {line.split(",")[0] for line in metadata.get_all("Project-URL", [])}
    assert urls >= {"Homepage", "Documentation", "Issues", "Changelog"}


def test_git_ignores_what_the_commands_of_the_documents_write() -> None:
    documents = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    written = WRITTEN.findall("\n".join(path.read_text() for path in documents))
    places = {place for match in written for place in match if place and not place.isupper()}
    assert {"ada.print", "package"} <= places
    command = ["git", "check-ignore", "--no-index", *(f"{place}/x" if "." not in place else place for place in places)]
    ignored = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout.split()
    assert {place.removesuffix("/x") for place in ignored} == places


def test_changelog_and_citation_state_the_release() -> None:
    released, date = re.findall(r"^## \[(\d[^]]*)\] - (\S+)$", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)[
        0
    ]
    citation = (REPOSITORY / "CITATION.cff").read_text()
    assert released == version("edge-sv")
    assert f"\nversion: {released}\n" in citation and f'\ndate-released: "{date}"\n' in citation


@contextmanager
def installed(python: str, wheel: Path, folder: Path, *options: str) -> Iterator[Environment]:
    """A clean virtual environment with the wheel in it, gone afterwards: it takes hundreds of megabytes."""
    try:
        subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
        install = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", *options, wheel]
        done = subprocess.run(install, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Environment(folder / "venv" / "bin")
    finally:
        shutil.rmtree(folder / "venv", ignore_errors=True)


@pytest.mark.parametrize("python_version", VERSIONS)
def test_installs_and_is_imported_without_its_dependencies(wheel: Path, python_version: str, tmp_path: Path) -> None:
    """Metadata and syntax hold for each Python, and `import edge_sv` needs nothing else."""
    with installed(find_python(python_version), wheel, tmp_path, "--no-deps") as environment:
        done = environment.run("python", "-c", "import edge_sv; print(edge_sv.__version__)", cwd=tmp_path)
        assert (done.returncode, done.stdout.strip()) == (0, version("edge-sv")), done.stderr
        site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
        compiled = environment.run("python", "-m", "compileall", "-q", site / "edge_sv", cwd=tmp_path)
        assert compiled.returncode == 0, compiled.stdout


def test_the_command_starts_beside_the_dependencies_of_the_tests(wheel: Path, tmp_path: Path) -> None:
    with installed(sys.executable, wheel, tmp_path, "--no-deps") as environment:
        site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
        folders = [path for path in sys.path if path.endswith("-packages")]
        (site / "dependencies.pth").write_text("\n".join(folders) + "\n")
        for command in (("--version",), ("targets",), ("recipes",), ("summary", "resnet-nano/palette_w4_ai8")):
            done = environment.run("edge-sv", *command, cwd=tmp_path)
            assert done.returncode == 0 and done.stdout, done.stderr
        where = environment.run("python", "-c", "import edge_sv; print(edge_sv.__file__)", cwd=tmp_path)
        assert where.stdout.startswith(str(site))


@pytest.mark.slow
@pytest.mark.parametrize("python_version", VERSIONS)
def test_enrolls_verifies_and_builds_with_the_base_dependencies(
    wheel: Path, python_version: str, tmp_path: Path
) -> None:
    voices = [
        REPOSITORY / "assets" / "voices" / f"{name}.flac" for name in ("ada_1", "ada_2", "ada_3", "ada_4", "bea_1")
    ]
    with installed(find_python(python_version), wheel, tmp_path) as environment:
        enrolled = environment.run("edge-sv", "enroll", "ada.print", *voices[:3], cwd=tmp_path)
        assert enrolled.returncode == 0, enrolled.stderr
        assert environment.run("edge-sv", "verify", "ada.print", voices[3], cwd=tmp_path).returncode == 0
        assert environment.run("edge-sv", "verify", "ada.print", voices[4], cwd=tmp_path).returncode == 10
        options = ("--target", "tflite", "--recipe", "palette_w4_ai8", "--out", "phone")
        built = environment.run("edge-sv", "build", "resnet-nano", *options, cwd=tmp_path)
        assert built.returncode == 0 and (tmp_path / "phone" / "manifest.json").is_file(), built.stderr


def find_python(wanted: str) -> str:
    """Return a Python of a version that can make environments: on PATH, among pyenv's, or where systems put it."""
    places = [shutil.which(f"python{wanted}")]
    folders = [Path.home() / ".pyenv" / "versions", Path("/opt/python"), Path.home() / ".local/share/uv/python"]
    places += [str(path) for folder in folders for path in sorted(folder.glob(f"*/bin/python{wanted}"))]
    places += [f"/usr/local/bin/python{wanted}", f"/usr/bin/python{wanted}"]
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for place in filter(None, places):
        if Path(place).is_file():
            done = subprocess.run([place, "-c", program], capture_output=True, text=True)
            if done.stdout.strip() == wanted:
                return place
    pytest.skip(f"no Python {wanted} with venv here: install it, for example with pyenv or uv")
