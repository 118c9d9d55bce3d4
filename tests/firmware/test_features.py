"""The device's front end: its C and its Python twin give the same bits, on this computer and on emulated cores."""

from __future__ import annotations

import csv
import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sv.audio.recording import read_recording
from edge_sv.emulation import build_program, load_board, run_program
from edge_sv.emulation.program import COMPILE_FLAGS
from edge_sv.frontend.constants import features_source
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.on_device import device_frames
from edge_sv.system.array_types import Int8, Int16
from tests.firmware.conftest import COMMON, REPOSITORY, WARNINGS, run, tool
from tests.firmware.device_signals import CONFIGS, GRID, signals, voice

SOURCES = sorted([*(COMMON / "src").glob("esv_features*.c"), *(COMMON / "src").glob("esv_fft*.c")])
HOST = REPOSITORY / "tests" / "firmware" / "host" / "features_frames.c"
PROGRAM = REPOSITORY / "tests" / "firmware" / "features_program.c"
PATHS = {"float": False, "fixed": True}
SANITIZED = ["gcc", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
COMPILERS = {"gcc": SANITIZED, "clang": ["clang", "-O3", "-ffp-contract=fast"], "gnu99": ["gcc", "-O3", "-std=gnu99"]}

Frames = Callable[..., Int8]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The constants of every configuration, and the list of them, as C."""
    folder = tmp_path_factory.mktemp("tables")
    names = {f"c{number}": config for number, config in enumerate(CONFIGS.values())}
    for name, (config, grid) in names.items():
        (folder / f"{name}.c").write_text(features_source(config, grid, prefix=name))
    extern = "".join(f"extern const esv_features_config {name}_features;\n" for name in names)
    entries = ", ".join(f"&{name}_features" for name in names)
    array = "const esv_features_config *const test_configs[]"
    (folder / "list.c").write_text(f'#include "esv_features.h"\n{extern}extern {array};\n{array} = {{{entries}}};\n')
    return sorted(folder.glob("*.c"))


@pytest.fixture(scope="session")
def programs(tables: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Compile the host program for a compiler and a path, once."""
    folder, made = tmp_path_factory.mktemp("programs"), {}

    def program(compiler: str, path: str) -> Path:
        if (compiler, path) not in made:
            name, *flags = COMPILERS[compiler]
            out = folder / f"{compiler}_{path}"
            options = ["-std=c99", *WARNINGS, *flags, f"-DESV_FEATURES_FIXED={int(PATHS[path])}"]
            sources = [*SOURCES, COMMON / "src" / "esv_status.c", HOST, *tables]
            run([tool(name), *options, "-I", COMMON / "include", *sources, "-o", out])
            made[compiler, path] = out
        return made[compiler, path]

    return program


def _frames(program: Path, name: str, pcm: Int16, *, chunks: Sequence[int] = (160,), rounds: int = 1) -> Int8:
    """Return the C code's frames, (num_frames, num_mels)."""
    command = [str(program), str(list(CONFIGS).index(name)), str(rounds), *map(str, chunks)]
    done = subprocess.run(command, input=pcm.tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, np.int8).reshape(-1, CONFIGS[name][0].num_mels)


def _twin(name: str, pcm: Int16, path: str) -> Int8:
    config, grid = CONFIGS[name]
    return device_frames(pcm, config, grid, fixed=PATHS[path])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration(programs: Callable[[str, str], Path], name: str, path: str) -> None:
    pcm = np.concatenate([voice(0.6), *(signal[:2500] for signal in signals().values())])
    expected = _twin(name, pcm, path)
    assert len(expected) == CONFIGS[name][0].num_frames(len(pcm)) > 10
    np.testing.assert_array_equal(_frames(programs("gcc", path), name, pcm), expected)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("signal", signals())
def test_every_signal(programs: Callable[[str, str], Path], signal: str, path: str) -> None:
    pcm = signals()[signal]
    np.testing.assert_array_equal(_frames(programs("gcc", path), "default", pcm), _twin("default", pcm, path))


@pytest.mark.parametrize("path", PATHS)
def test_real_speech(programs: Callable[[str, str], Path], speech_data: Path, path: str) -> None:
    with (speech_data / "index.csv").open() as stream:
        paths = [row["path"] for row in csv.DictReader(stream)]
    pcm = np.concatenate([read_recording(speech_data / name) for name in paths[:: len(paths) // 12]])
    np.testing.assert_array_equal(_frames(programs("gcc", path), "mean_start", pcm), _twin("mean_start", pcm, path))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("compiler", ["clang", "gnu99"])
def test_every_compiler(programs: Callable[[str, str], Path], compiler: str, path: str) -> None:
    for name in ("default", "telephone"):
        np.testing.assert_array_equal(
            _frames(programs(compiler, path), name, voice()), _twin(name, voice(), path), strict=True
        )


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=25, deadline=None)
@given(chunks=st.lists(st.integers(0, 1500), min_size=1, max_size=12).filter(any), name=st.sampled_from(list(CONFIGS)))
def test_any_chunks(programs: Callable[[str, str], Path], path: str, chunks: list[int], name: str) -> None:
    pcm = voice(0.4)
    np.testing.assert_array_equal(
        _frames(programs("gcc", path), name, pcm, chunks=chunks), _twin(name, pcm, path), strict=True
    )


@pytest.mark.parametrize("path", PATHS)
def test_sample_by_sample(programs: Callable[[str, str], Path], path: str) -> None:
    np.testing.assert_array_equal(
        _frames(programs("gcc", path), "long_hop", voice(), chunks=[1]), _twin("long_hop", voice(), path)
    )


@pytest.mark.parametrize("path", PATHS)
def test_a_reset_forgets(programs: Callable[[str, str], Path], path: str) -> None:
    pcm = voice(0.5)[:-37]
    for name in ("default", "long_hop"):
        expected = np.tile(_twin(name, pcm, path), (3, 1))
        np.testing.assert_array_equal(_frames(programs("gcc", path), name, pcm, rounds=3), expected)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("num_samples", [0, 1, 399, 400, 401, 559, 560])
def test_a_frame_comes_with_its_last_sample(programs: Callable[[str, str], Path], num_samples: int, path: str) -> None:
    frames = _frames(programs("gcc", path), "default", voice()[:num_samples])
    assert len(frames) == CONFIGS["default"][0].num_frames(num_samples)


class Fft(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint16) for name in ("size", "window_length")),
        *((name, ctypes.c_uint8) for name in ("window_shift", "power_shift")),
        *((name, ctypes.c_void_p) for name in ("window", "turns", "joins", "order")),
    ]


class Config(ctypes.Structure):
    _fields_ = [
        ("fft", Fft),
        *((name, ctypes.c_uint16) for name in ("hop_length", "num_mels", "first_bin", "prior", "horizon")),
        *((name, ctypes.c_void_p) for name in ("segment_bins", "rising", "mean_start")),
        *((name, ctypes.c_float) for name in ("floor", "log_offset", "inverse_scale")),
        ("zero_point", ctypes.c_int16),
        *((name, ctypes.c_int8) for name in ("low", "high")),
    ]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("library")
    (folder / "tables.c").write_text(features_source(FeatureConfig(), GRID, prefix="test"))
    flags = ["-std=c99", "-O1", "-fPIC", "-shared", "-DESV_FEATURES_FIXED=0", "-I", COMMON / "include"]
    run([tool("gcc"), *flags, *SOURCES, folder / "tables.c", "-o", folder / "features.so"])
    loaded = ctypes.CDLL(str(folder / "features.so"))
    loaded.esv_features_bytes.restype = ctypes.c_size_t
    return loaded


def _init(library: ctypes.CDLL, config: Config | None, *, spare: int = 0, offset: int = 0) -> tuple[int, int]:
    """Return esv_features_init's status in memory `spare` bytes too large, and the bytes asked for."""
    reference = None if config is None else ctypes.byref(config)
    needed = library.esv_features_bytes(reference)
    memory = (ctypes.c_uint8 * 16384)()
    start = (ctypes.addressof(memory) + 15) // 16 * 16 + offset
    features = (ctypes.c_uint8 * 64)()
    status = library.esv_features_init(
        features, reference, ctypes.c_void_p(start), ctypes.c_size_t(max(0, needed + spare))
    )
    return status, needed


def test_memory_is_checked(library: ctypes.CDLL) -> None:
    config = Config.in_dll(library, "test_features")
    assert _init(library, config) == (0, 256 * 8 + 80 * 4 + 816)
    assert _init(library, config, spare=-1)[0] == -2
    assert _init(library, config, spare=16, offset=4)[0] == -2
    assert _init(library, None) == (-1, 0)


@pytest.mark.parametrize(
    "fft",
    [
        *({name: None} for name in ("window", "turns", "joins", "order")),
        *({"size": size} for size in (0, 8, 500, 8192)),
        *({"window_length": length} for length in (0, 513)),
        {"power_shift": 64},
        {"window_shift": 16},
    ],
    ids=str,
)
def test_impossible_tables_are_refused(library: ctypes.CDLL, fft: dict[str, int | None]) -> None:
    config = Config.from_buffer_copy(Config.in_dll(library, "test_features"))
    for name, value in fft.items():
        setattr(config.fft, name, value)
    assert _init(library, config) == (-8, 0)


@pytest.mark.parametrize(
    "values",
    [
        *({name: 0} for name in ("hop_length", "num_mels", "first_bin", "floor", "inverse_scale")),
        *({name: None} for name in ("segment_bins", "rising", "mean_start")),
        {"first_bin": 100},
        {"floor": float("nan")},
        {"inverse_scale": 1e6},
        {"low": 5, "high": 4},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(library: ctypes.CDLL, values: dict[str, float | None]) -> None:
    config = Config.from_buffer_copy(Config.in_dll(library, "test_features"))
    for name, value in values.items():
        setattr(config, name, value)
    assert _init(library, config) == (-8, 0)


def _run_on_board(board: str, path: str | None, folder: Path, pcm: Int16, *flags: str) -> tuple[Int8, float]:
    """Return a board's frames and its instructions per second of audio, in millions."""
    config = FeatureConfig(mean_start=tuple(np.linspace(-8, -2, 80)))
    (folder / "tables.c").write_text(features_source(config, GRID, prefix="test"))
    (folder / "in.pcm").write_bytes(pcm.tobytes())
    program = build_program(
        [*SOURCES, folder / "tables.c"],
        [COMMON / "include"],
        load_board(board),
        folder=folder,
        main=[PROGRAM],
        defines={} if path is None else {"ESV_FEATURES_FIXED": int(PATHS[path])},
        flags=[*COMPILE_FLAGS, *WARNINGS, *flags],
        stack_bytes=4096,
    )
    done = run_program(program, arguments=["in.pcm", "out.frames"], folder=folder)
    assert done.exit_code == 0
    frames = np.frombuffer((folder / "out.frames").read_bytes(), np.int8).reshape(-1, 80)
    fixed = PATHS[path] if path else not load_board(board).target.fpu
    np.testing.assert_array_equal(frames, device_frames(pcm, config, GRID, fixed=fixed))
    return frames, int(done.output) / len(pcm) * 16000 / 1e6


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("board", "path"),
    [
        ("microbit", None),
        ("mps2-an385", None),
        ("mps2-an385", "float"),
        ("mps2-an386", "fixed"),
        ("mps2-an500", None),
        ("mps2-an505", None),
        ("mps2-an505", "fixed"),
        ("mps3-an547", None),
        ("mps3-an547", "fixed"),
    ],
)
def test_every_core(board: str, path: str | None, tmp_path: Path) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    extremes = [signal[:1200] for signal in signals().values()]
    frames, _ = _run_on_board(board, path, tmp_path, np.concatenate([voice(0.3), *extremes]))
    assert len(np.unique(frames)) > 100


@pytest.mark.emulator
@pytest.mark.parametrize("flags", [["-std=gnu99", "-ffp-contract=fast"], ["-Os"], ["-O3"]], ids=" ".join)
def test_no_flag_changes_a_bit(flags: list[str], tmp_path: Path) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    _run_on_board("mps2-an500", "float", tmp_path, voice(0.5), *flags)


@pytest.mark.emulator
def test_a_second_of_audio_takes_at_most_three_million_instructions_on_m4f(tmp_path: Path) -> None:
    tool("qemu-system-arm")
    tool("arm-none-eabi-gcc")
    _, millions = _run_on_board("mps2-an386", None, tmp_path, voice(1.0))
    assert millions <= 3.0
