"""Damaged and hostile bytes for every reader of files: each gives a value or an error in words, in bounded memory.

`READERS` names what reads bytes, with whole files to begin from; `damaged` is hypothesis's view of what may happen to
them on the way. The tests take a slice, `scripts/fuzz` goes on for as long as it is told.
"""

from __future__ import annotations

import copy
import io
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_sv.artifacts.activation_ranges import RANGES_FILE, encode_ranges, load_ranges
from edge_sv.artifacts.artifact import ARTIFACT_FILE, load_artifact
from edge_sv.artifacts.locate import MANIFEST_ENTRY, MANIFEST_FILE
from edge_sv.artifacts.net import read_net
from edge_sv.artifacts.palette import PALETTES_FILE, Palette, encode_palettes, load_palettes
from edge_sv.audio.recording import read_recording
from edge_sv.errors import EdgeSvError
from edge_sv.package import read_package, write_package
from edge_sv.package.manifest import parse_manifest
from edge_sv.package.target import load_target, read_target
from edge_sv.recipes.reading import RECIPES_DIR, read_recipe
from edge_sv.scoring.scores import Cohort
from edge_sv.scoring.speech_index import read_index
from edge_sv.scoring.trials import read_speakers, read_trials, read_utterances
from edge_sv.system.bundled import assets_dir, targets_dir
from edge_sv.system.files import sha256_bytes
from edge_sv.system.npz import parse_arrays
from edge_sv.system.packed import pack, unpack
from edge_sv.tflite import metadata
from edge_sv.tflite.flatbuffer import parse_model, profile_operators
from edge_sv.tflite.tflm_operators import convolution_filters, tensor_formats, used_operators
from edge_sv.training.config import read_config
from edge_sv.verification.voice_print import VoicePrint
from tests.random_nets import random_net
from tests.voice_prints import make_print

SECONDS = 20
"""A reader that takes longer hangs."""

MEMORY_BYTES = 1 << 30
"""What reading may add to the process, over a whole run."""

WORDS = [
    *(
        b"",
        b"\0",
        b"\xff" * 4,
        b"\xff\xff\xff\x7f",
        b"\0\0\0\x80",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b'"',
    ),
    *(
        b"-1",
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"9" * 400,
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"[" * 5000,
        b'{"a":' * 5000,
    ),
    *(
        b"\\ud800",
        b"../",
        b"/dev/zero",
        b"1979-05-27",
        b"inf",
        b"nan",
        b"[[rules]]",
        b"'''",
        b"a." * 2000,
        b"PK\x03\x04",
    ),
]
"""What readers stumble over."""


@dataclass(frozen=True)
class Reader:
    """Something that reads bytes.

    Args:
        seeds: whole files.
        read: reads one; what is refused is an `EdgeSvError`.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes], object]


def _file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Make a reader of bytes out of one of files."""

    def place(data: bytes) -> object:
        path = Path(_folder()) / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)
        return read(path)

    return place


@cache
def _folder() -> str:
    return tempfile.mkdtemp(prefix="edge-sv-fuzz-")


def _artifact(data: bytes) -> object:
    folder = Path(_folder()) / "artifact"
    if not folder.exists():
        shutil.copytree(_ARTIFACT, folder)
    (folder / ARTIFACT_FILE).write_bytes(data)
    return load_artifact(folder)


def _model(data: bytes) -> object:
    tree = parse_model(data)
    for look in (profile_operators, used_operators, convolution_filters, tensor_formats):
        look(tree)
    return metadata.extract(data)


def _sound(container: str, subtype: str) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, 0.1 * np.sin(np.arange(4000) / 3), 16000, format=container, subtype=subtype)
    return stream.getvalue()


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _palette() -> Palette:
    return Palette(2, np.arange(4, dtype=np.int8), np.zeros((1, 1, 3, 2), np.uint8), np.ones(2, np.float32))


@cache
def _package() -> Path:
    """Write a package where `folder` reads it."""
    return write_package(load_artifact(_ARTIFACT), load_target("tflite"), Path(_folder()) / "folder").path


@cache
def _manifest() -> bytes:
    """Return the manifest of a package of `_net`."""
    document = json.loads((_package() / MANIFEST_FILE).read_bytes())
    document["model"] |= {"bytes": len(_net()), "sha256": sha256_bytes(_net())}
    return json.dumps({**document, "files": None, "layers": document["layers"][:2]}).encode()


@cache
def _net() -> bytes:
    return random_net(1)


_ARTIFACT = assets_dir() / "resnet-nano" / "static_wi8_ai8"
READERS = {
    "model": Reader(lambda: [random_net(seed) for seed in range(6)], _model),
    "package": Reader(lambda: [metadata.embed(_net(), {MANIFEST_ENTRY: _manifest()})], _file("a.tflite", read_package)),
    "folder": Reader(
        lambda: [(_package() / MANIFEST_FILE).read_bytes()],
        _file(f"folder/{MANIFEST_FILE}", lambda path: read_package(path.parent)),
    ),
    "manifest": Reader(lambda: [_manifest()], lambda data: parse_manifest(data, "a manifest")),
    "artifact": Reader(lambda: [(_ARTIFACT / ARTIFACT_FILE).read_bytes()], _artifact),
    "net": Reader(
        lambda: [(assets_dir() / "resnet-nano" / "net.json").read_bytes()],
        _file("net/net.json", lambda path: read_net(path.parent)),
    ),
    "print": Reader(lambda: [make_print().to_bytes()], VoicePrint.from_bytes),
    "recipe": Reader(
        lambda: [path.read_bytes() for path in sorted(RECIPES_DIR.glob("*.toml"))], _file("a.toml", read_recipe)
    ),
    "target": Reader(
        lambda: [path.read_bytes() for path in sorted(targets_dir().glob("**/target.toml"))],
        _file("board/target.toml", read_target),
    ),
    "training": Reader(
        lambda: [path.read_bytes() for path in sorted(Path(__file__).parents[1].glob("configs/*.toml"))],
        _file("train.toml", read_config),
    ),
    "cohort": Reader(lambda: [_npz(values=np.ones((3, 4), np.int8), scale=np.float32(0.1))], Cohort.from_bytes),
    "arrays": Reader(
        lambda: [_npz(a=np.arange(9)), _npz(b=np.zeros((0, 2)), c=np.float16(1))],
        lambda data: parse_arrays(data, "arrays"),
    ),
    "palettes": Reader(
        lambda: [encode_palettes({"conv": _palette()})],
        _file(f"palettes/{PALETTES_FILE}", lambda path: load_palettes(path.parent)),
    ),
    "ranges": Reader(
        lambda: [encode_ranges({"conv": (-1.0, 2.0)})],
        _file(f"ranges/{RANGES_FILE}", lambda path: load_ranges(path.parent)),
    ),
    "packed": Reader(lambda: [pack(bytes(range(256)) * 9)], lambda data: unpack(data, Path("a.xz"))),
    "wav": Reader(
        lambda: [_sound("WAV", kind) for kind in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM", "GSM610")],
        _file("a.wav", read_recording),
    ),
    "flac": Reader(lambda: [_sound("FLAC", "PCM_16")], _file("a.flac", read_recording)),
    "ogg": Reader(lambda: [_sound("OGG", "VORBIS"), _sound("OGG", "OPUS")], _file("a.ogg", read_recording)),
    "trials": Reader(lambda: [b"1 ada/1 ada/2\n0 ada/1 bea/1\n"], _file("trials.txt", read_trials)),
    "utterances": Reader(lambda: [b"utt_id,files\nada/1,a.wav|b.wav\n"], _file("utterances.csv", read_utterances)),
    "speakers": Reader(lambda: [b"utt_id,speaker\nada/1,ada\n"], _file("speakers.csv", read_speakers)),
    "index": Reader(
        lambda: [b"path,speaker,corpus,split\na.wav,ada,own,train\nb.wav,bea,own,dev\n"],
        _file("index.csv", read_index),
    ),
}
"""By name."""


VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**64,
        -(2**63),
        10**400,
        0.5,
        -0.0,
        1e-320,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *("", "\0", "../..", "/dev/zero", "x" * 70000, "\ud800", "1", "NaN", [], {}, [[]], [None], [0] * 1000, {"": 0}),
]
"""What may stand where another value should."""


@st.composite
def lying(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw a JSON document in which some values or keys are others, doubled or missing."""
    document = json.loads(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        inner = document
        while isinstance(inner, dict | list) and inner:
            key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
            if not isinstance(inner[key], dict | list) or not inner[key] or draw(st.integers(0, 3)) == 0:
                break
            inner = inner[key]
        kind = draw(st.sampled_from(["value", "value", "value", "missing", "more"]))
        if not isinstance(inner, dict | list) or not inner:
            continue
        if kind == "missing":
            del inner[key]
        elif kind == "value":
            inner[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif isinstance(inner, dict):
            inner["more"] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            inner.append(copy.deepcopy(draw(st.sampled_from([*VALUES, inner[0]]))))
    return json.dumps(document).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Draw a file that was cut, flipped, stretched or spliced in some places; or any bytes at all."""
    if draw(st.integers(0, 15)) == 0:
        return draw(st.binary(max_size=300))
    if seeds[0][:1] == b"{" and draw(st.booleans()):
        return draw(lying(seeds))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 64, 1024]))
        kind = draw(st.sampled_from(["flip", "set", "word", "insert", "cut", "end", "repeat", "splice"]))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set":
            data[at : at + length] = draw(st.binary(min_size=min(length, 8), max_size=min(length, 8)))
        elif kind in ("word", "insert"):
            data[at : at + (length if kind == "word" else 0)] = draw(st.sampled_from(WORDS))
        elif kind == "cut":
            del data[at : at + length]
        elif kind == "end":
            del data[at:]
        elif kind == "repeat":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 4))
        else:
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other)))
            data[at : at + length] = other[start : start + length]
    return bytes(data)


@dataclass
class Fuzzed:
    """How a run went."""

    executions: int = 0
    refused: int = 0
    memory_bytes: int = 0


def fuzz(name: str, *, executions: int | None = None, seconds: float | None = None, seed: int | None = None) -> Fuzzed:
    """Read damaged files until a number of executions or seconds is over; what breaks a rule is an AssertionError.

    Args:
        name: of a reader.
        executions: at most.
        seconds: at most, in rounds of 1,000 executions.
        seed: for the same files each time.
    """
    reader, done, end = READERS[name], Fuzzed(), time.monotonic() + (seconds or 0)
    seeds = reader.seeds()
    for whole in seeds:
        reader.read(whole)
    before = _peak_bytes()
    while done.executions == 0 or (seconds is not None and time.monotonic() < end):
        _round(reader, seeds, done, executions or 1000, seed)
    done.memory_bytes = _peak_bytes() - before
    assert done.memory_bytes < MEMORY_BYTES, f"{name}: reading took {done.memory_bytes:,} bytes"
    return done


def _round(reader: Reader, seeds: list[bytes], done: Fuzzed, executions: int, seed: int | None) -> None:
    @settings(
        max_examples=executions,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(damaged(seeds))
    def read(data: bytes) -> None:
        done.executions += 1
        try:
            with _time_limit():
                reader.read(data)
        except EdgeSvError as error:
            assert str(error)
            done.refused += 1

    if seed is not None:
        from hypothesis import seed as seeded

        read = seeded(seed)(read)
    read()


@contextmanager
def _time_limit() -> Iterator[None]:
    def hang(*_: object) -> None:
        raise AssertionError(f"it reads for more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
