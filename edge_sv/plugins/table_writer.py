"""Lookup tables in TensorFlow Lite Micro's models: found as a plug-in, so that a package needs none of its code."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from edge_sv.plugins.entry import TABLE_WRITERS, load_plugin

PLUG_IN = "lut"


@dataclass(frozen=True)
class TableUse:
    """A layer whose weights became indices and tables of values.

    Args:
        layer: name of its output in the model.
        bits: of an index.
        tables: 1, or one for each output channel.
        plain_bytes: its weights' bytes before.
        bytes: its indices' and tables' bytes, headers included.
    """

    layer: str
    bits: int
    tables: int
    plain_bytes: int
    bytes: int


@dataclass(frozen=True)
class LookupModel:
    """A model that TensorFlow Lite Micro expands while it runs; it computes what it computed before, bit for bit.

    Args:
        model: the .tflite.
        tables: the layers that were changed, in the order they run; none when nothing gains.
        skipped: the convolutions that stay as they are, for tables would make them larger.
    """

    model: bytes = field(repr=False)
    tables: tuple[TableUse, ...]
    skipped: tuple[str, ...]


class TableWriter(Protocol):
    """Turns weights of few values into lookup tables."""

    def compress(self, model: bytes) -> LookupModel:
        """Compress what gets smaller; same model, same bytes.

        Raises:
            DataError: the model is damaged.
        """


@lru_cache(maxsize=4)
def compress_tables(model: bytes) -> LookupModel | None:
    """Write a .tflite's few-valued weights as lookup tables; None when that makes it no smaller.

    Raises:
        DataError: the model is damaged.
        UsageError: the plug-in `lut` is not installed.
        ToolMissing: it is installed and does not load.
    """
    lookup = find_table_writer().compress(model)
    return lookup if lookup.tables and len(lookup.model) < len(model) else None


def find_table_writer(name: str = PLUG_IN) -> TableWriter:
    """Load an installed table writer.

    Raises:
        UsageError: there is none of this name.
        ToolMissing: it is installed and does not load.
    """
    writer: TableWriter = load_plugin(TABLE_WRITERS, name)
    return writer
