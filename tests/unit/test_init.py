"""`import edge_sv`: quick, lazy, without TensorFlow; every name is there, and files and arrays embed alike."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import edge_sv
from edge_sv.audio.recording import read_recording
from edge_sv.errors import DataError, UsageError


def test_every_public_name_is_there_and_documented() -> None:
    for name in edge_sv.__all__:
        value = getattr(edge_sv, name)
        assert name == "__version__" or inspect.getdoc(value), name
    assert set(edge_sv.__all__) <= set(dir(edge_sv))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = edge_sv.nothing


def test_importing_imports_next_to_nothing() -> None:
    program = (
        "import sys, edge_sv; print(sorted(n for n in sys.modules if n.startswith(('edge_sv', 'numpy', 'tensor'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['edge_sv', 'edge_sv.system', 'edge_sv.system.version']"


def test_using_it_does_not_import_tensorflow() -> None:
    program = (
        "import sys, edge_sv\nv = edge_sv.bundled_voices()\n"
        "edge_sv.compare(v['ada_1'], v['ada_2'])\nsys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_function_stays_a_function_when_its_wing_is_imported() -> None:
    program = "import edge_sv.emulation.board, edge_sv; assert callable(edge_sv.emulate) and callable(edge_sv.build)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture(scope="module")
def model() -> edge_sv.Model:
    return edge_sv.load("resnet-nano")


def test_paths_integers_and_floats_embed_alike(model: edge_sv.Model) -> None:
    path = edge_sv.bundled_voices()["ada_1"]
    pcm = read_recording(path)
    wanted = model.embed(path)
    assert wanted.shape == (model.embedding_dim,) and np.linalg.norm(wanted) == pytest.approx(1)
    for audio in (str(path), pcm, pcm / 32768, (pcm / 32768).astype(np.float32)):
        assert np.array_equal(model.embed(audio), wanted)


def test_another_sample_rate_is_resampled(model: edge_sv.Model, tmp_path: Path) -> None:
    import soxr

    pcm = read_recording(edge_sv.bundled_voices()["ada_1"])
    fast = np.asarray(soxr.resample(pcm.astype(np.float32) / 32768, 16000, 48000), np.float32)
    soundfile.write(tmp_path / "fast.wav", fast, 48000, subtype="FLOAT")
    wanted = model.embed(tmp_path / "fast.wav")
    assert model.embed(fast, sample_rate=48000) @ wanted > 0.9999
    with pytest.raises(UsageError, match="says its own sample rate"):
        model.embed(tmp_path / "fast.wav", sample_rate=48000)


def test_a_float_array_never_gives_a_wrong_vector_silently(model: edge_sv.Model) -> None:
    """Below the face, too: an embedder takes int16 and says so."""
    with pytest.raises(UsageError, match=r"takes .* int16"):
        model.embedder.embed(np.zeros(32000, np.float32))  # type: ignore[arg-type]


def test_enroll_verify_compare_and_a_print_on_disk(model: edge_sv.Model, tmp_path: Path) -> None:
    voices = edge_sv.bundled_voices()
    ada = edge_sv.enroll([voices["ada_1"], voices["ada_2"]], model=model, name="Ada")
    more = edge_sv.enroll([voices["ada_3"]], model=model, add_to=ada)
    assert (ada.recordings, more.recordings, more.name) == (2, 3, "Ada")
    edge_sv.save_print(tmp_path / "ada.print", more)
    decision = edge_sv.verify(tmp_path / "ada.print", voices["ada_4"], model=model)
    assert decision.accepted and decision == edge_sv.verify(more, read_recording(voices["ada_4"]))
    assert not edge_sv.verify(more, voices["carl_1"], model=model).accepted
    assert not edge_sv.verify(more, voices["ada_4"], model=model, threshold=2.0).accepted
    assert edge_sv.compare(voices["ada_1"], voices["ada_2"], model=model).score > 0.5
    with pytest.raises(UsageError, match="a list of recordings"):
        edge_sv.enroll(str(voices["ada_1"]), model=model)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="made by another model"):
        edge_sv.verify(more, voices["ada_4"], model="resnet-thin")


def test_a_list_in_files_is_scored(tmp_path: Path) -> None:
    names = edge_sv.bundled_voices()
    for name, path in names.items():
        place = tmp_path / name.split("_")[0] / path.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.read_bytes())
    ids = [f"{name.split('_')[0]}/{path.name}" for name, path in names.items()]
    lines = [f"{int(a[:3] == b[:3])} {a} {b}" for i, a in enumerate(ids) for b in ids[i + 1 :]]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    found = edge_sv.evaluate("resnet-nano", tmp_path / "list.txt", tmp_path, jobs=1)
    assert found.trials == 36 and 0 <= found.eer < 0.2
    with pytest.raises(UsageError, match="no recordings given"):
        edge_sv.evaluate("resnet-nano", tmp_path / "list.txt")
