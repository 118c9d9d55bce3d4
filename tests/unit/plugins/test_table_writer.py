"""Lookup tables are taken only where they make a model smaller; the writer is found by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_sv.errors import UsageError
from edge_sv.plugins import table_writer
from edge_sv.plugins.table_writer import LookupModel, TableUse, compress_tables, find_table_writer

MODEL = b"m" * 100
USE = (TableUse("conv", bits=4, tables=1, plain_bytes=100, bytes=60),)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    compress_tables.cache_clear()
    yield
    compress_tables.cache_clear()


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (LookupModel(MODEL[:60], USE, ()), True),
        (LookupModel(MODEL, USE, ()), False),
        (LookupModel(MODEL[:60], (), ("conv",)), False),
    ],
    ids=["smaller", "as large", "no tables"],
)
def test_tables_are_taken_where_they_save_bytes(
    found: LookupModel, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Writer:
        def compress(self, model: bytes) -> LookupModel:
            assert model == MODEL
            return found

    monkeypatch.setattr(table_writer, "find_table_writer", Writer)
    assert compress_tables(MODEL) == (found if taken else None)


def test_the_writer_is_found_by_name() -> None:
    assert callable(find_table_writer().compress)
    with pytest.raises(UsageError, match="unknown table writer 'lot'"):
        find_table_writer("lot")
