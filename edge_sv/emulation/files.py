"""Run a package that lies in a folder on an emulated board, with recordings given as files or arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_sv.audio.samples import Audio, as_pcm
from edge_sv.emulation.board import default_board, load_board
from edge_sv.emulation.report import Emulation
from edge_sv.emulation.run import emulate
from edge_sv.package import read_package
from edge_sv.system.array_types import Int16


def emulate_package(
    package: str | Path, *, board: str | None = None, enroll: Sequence[Audio] = (), verify: Sequence[Audio] = ()
) -> Emulation:
    """Run a package on an emulated Cortex-M, bit for bit as on this computer or not, and count what it costs.

    Args:
        package: its folder.
        board: a board's name, or the path of a target.toml; None: the one that the package is for.
        enroll: recordings of one voice, paths or arrays.
        verify: recordings to compare with it.

    Raises:
        UsageError: unknown board, or recordings that the package takes not.
        DataError: the package or a recording cannot be used.
        DoesNotFit: the package is larger than the board.
        ToolMissing: the compiler or the emulator is not installed.
    """
    found = read_package(Path(package))
    rate = found.speaker.features.sample_rate if found.speaker else 16_000

    def named(recordings: Sequence[Audio], word: str) -> list[tuple[str, Int16]]:
        return [
            (str(audio) if isinstance(audio, str | Path) else f"{word} {number}", as_pcm(audio, sample_rate=rate))
            for number, audio in enumerate(recordings, 1)
        ]

    place = load_board(board or default_board(found.manifest.target.name))
    return emulate(found, place, enroll=named(enroll, "enroll"), verify=named(verify, "verify"))
