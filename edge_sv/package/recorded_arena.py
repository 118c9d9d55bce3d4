"""The arena of a model: measured where TensorFlow Lite Micro is installed, else as recorded for a bundled net."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_sv.errors import ToolMissing
from edge_sv.runtimes.tflm_arena import Arena, make_arena, measure_arena
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import sha256_bytes, write_atomic

RECORD_FILE = "arenas.json"
"""In the folder of the bundled nets: sha256 of a .tflite -> measured bytes, see `record_arenas`."""


def find_arena(model: bytes, *, filters: Sequence[tuple[int, ...]] = ()) -> Arena:
    """Return a model's arena.

    Args:
        model: a .tflite file.
        filters: (out, height, width, in) of its convolutions, for CMSIS-NN's scratch buffers.

    Raises:
        ToolMissing: tflite-micro is not installed, and this model's arena was not recorded.
        DataError: the model does not run in TensorFlow Lite Micro whatever the arena.
    """
    try:
        return measure_arena(model, filters=filters)
    except ToolMissing:
        recorded = _read(assets_dir() / RECORD_FILE).get(sha256_bytes(model))
        if recorded is None:
            raise
        return make_arena(recorded, filters=filters)


def record_arenas(models: Iterable[bytes], path: Path) -> int:
    """Measure models and write the record; return how many there are.

    Raises:
        ToolMissing: tflite-micro is not installed.
    """
    measured = {sha256_bytes(model): measure_arena(model).measured_bytes for model in models}
    write_atomic(path, (json.dumps(dict(sorted(measured.items())), indent=1) + "\n").encode())
    return len(measured)


def _read(path: Path) -> dict[str, int]:
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}
