"""CSV tables as people have them: a byte-order mark or none, any line ends, spaces around cells, empty lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sv.system.files import read_file

UNREADABLE = (OSError, UnicodeDecodeError, csv.Error)
"""What `read_table` raises."""

Row = Mapping[str | None, Any]
"""Column -> cell, as `csv.DictReader` has it: None for a missing cell, and what is too much under the key None."""


@dataclass(frozen=True)
class Table:
    """A table's columns, and its rows that hold a value, each with the number of the line that it ends in."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]

    def lacks(self, columns: tuple[str, ...]) -> list[str]:
        """Return those columns that the table does not have."""
        return [name for name in columns if name not in self.columns]


def read_table(path: Path) -> Table:
    """Read a CSV table in UTF-8.

    Raises:
        OSError: see `read_file`.
        UnicodeDecodeError: it is not UTF-8.
        csv.Error: it is no table.
    """
    return parse_table(read_file(path).decode("utf-8-sig"))


def parse_table(text: str) -> Table:
    """Read the text of a CSV table.

    Raises:
        csv.Error: it is no table.
    """
    if "\0" in text:
        raise csv.Error("it holds zeros")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    rows = ((reader.line_num, {name: _strip(cell) for name, cell in row.items()}) for row in reader)
    return Table(tuple(reader.fieldnames), tuple((line, row) for line, row in rows if any(row.values())))


def _strip(cell: Any) -> Any:
    return cell.strip() if isinstance(cell, str) else cell
