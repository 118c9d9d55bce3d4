"""Measure the arenas of all bundled models, with and without lookup tables, for installations without tflite-micro.

python scripts/record_arenas.py
"""

from __future__ import annotations

from collections.abc import Iterator

from edge_sv.artifacts.artifact import load_artifact
from edge_sv.artifacts.locate import asset_names, locate
from edge_sv.package.recorded_arena import RECORD_FILE, record_arenas
from edge_sv.plugins.table_writer import compress_tables
from edge_sv.system.bundled import assets_dir


def models() -> Iterator[bytes]:
    """Yield every bundled .tflite, and its form with lookup tables where it has one."""
    for name in asset_names():
        for path in locate(name).artifacts():
            model = load_artifact(path).model
            yield model
            if lookup := compress_tables(model):
                yield lookup.model


if __name__ == "__main__":
    print(record_arenas(models(), assets_dir() / RECORD_FILE), "models")
