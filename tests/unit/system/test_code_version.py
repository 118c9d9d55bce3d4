"""What makes a result stale: the code that computes it, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edge_sv.system.code_version import code_sha256, imported_modules, library_versions


def test_imports_are_followed_to_the_ground_and_no_further() -> None:
    found = imported_modules("edge_sv.models.ecapa_tdnn")
    assert {"edge_sv.models.pooling", "edge_sv.models.layers", "edge_sv.errors", "edge_sv.models"} <= found
    assert not [name for name in found if name.startswith(("edge_sv.report", "edge_sv.cli", "edge_sv.pipeline"))]


def test_an_import_within_a_function_counts() -> None:
    """The Keras embedder opens its net when it is built; the net's code decides its embeddings all the same."""
    assert "edge_sv.models.pooling" in imported_modules("edge_sv.embedders.keras")


def test_a_package_that_a_module_is_in_counts_without_what_it_imports_for_others() -> None:
    found = imported_modules("edge_sv.embedders.keras")
    assert "edge_sv.embedders" in found and "edge_sv.package.cortex_m" not in found


def test_a_plug_in_counts_with_the_core_that_it_imports() -> None:
    found = imported_modules("edge_sv_converters.tflite")
    assert "edge_sv_converters.wide_activations" in found and "edge_sv.tflite.flatbuffer" in found


def test_unknown_module() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"edge_sv\.nothing"):
        code_sha256("edge_sv.nothing")


def test_library_versions_tell_what_is_missing() -> None:
    found = library_versions("numpy", "no-such-distribution")
    assert found["numpy"] and found["no-such-distribution"] is None


PROGRAM = "from edge_sv.system.code_version import code_sha256; print(code_sha256('edge_sv.one', 'other.leaf'))"


def key(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package that is called edge_sv, with the real module under test in it, and another distribution."""
    import edge_sv.system

    system = Path(edge_sv.system.__file__).parent
    sources = {
        "edge_sv/__init__.py": "",
        "edge_sv/errors.py": (system.parent / "errors.py").read_text(),
        "edge_sv/system/__init__.py": "",
        "edge_sv/one.py": "def run():\n    from edge_sv.two import x\n    return x, 'edge_sv.three'\n",
        "edge_sv/two.py": "from edge_sv import four\nx = 1\n",
        "edge_sv/three.py": "",
        "edge_sv/four.py": "",
        "edge_sv/stranger.py": "import edge_sv.one\n",
        "other/__init__.py": "",
        "other/leaf.py": "import other.root\n",
        "other/root.py": "",
        "other/stranger.py": "",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    for name in ("files.py", "code_version.py", "array_types.py"):
        (tmp_path / "edge_sv/system" / name).write_text((system / name).read_text())
    return tmp_path


@pytest.mark.parametrize("name", ["edge_sv/one", "edge_sv/two", "edge_sv/three", "edge_sv/four", "other/root"])
def test_every_source_that_is_imported_makes_another_key(tree: Path, name: str) -> None:
    before = key(tree)
    assert key(tree) == before
    (tree / f"{name}.py").write_text((tree / f"{name}.py").read_text() + "\ny = 2\n")
    assert key(tree) != before


@pytest.mark.parametrize("name", ["edge_sv/stranger", "other/stranger"])
def test_a_source_that_is_not_imported_leaves_the_key(tree: Path, name: str) -> None:
    before = key(tree)
    (tree / f"{name}.py").write_text("y = 2\n")
    assert key(tree) == before
