"""What `compression.py` measured, in one csv file: a row for each net, recipe and list.

| column | is |
|---|---|
| `net`, `recipe` | the cell; recipe `float` is the net itself |
| `identity` | sha256 of the converted model, or of the float net: another one is measured anew |
| `tflite_bytes`, `tflm_bytes`, `c_bytes` | the .tflite; with lookup tables where they gain; constants of generated C |
| `list` | test list; `pooled`: all four under one threshold |
| `eer`, `eer_low`, `eer_high` | equal error rate with its 95 % interval over speakers, fractions |
| `trials` | of the list |
"""

from __future__ import annotations

import csv
import fcntl
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_sv.system.files import write_atomic

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS_FILE = REPOSITORY / "benchmarks" / "results" / "compression.csv"
FORMS = ("tflite", "tflm", "c")
COLUMNS = (
    *("net", "recipe", "identity"),
    *(f"{form}_bytes" for form in FORMS),
    *("list", "eer", "eer_low", "eer_high", "trials"),
)

Result = dict[str, Any]
"""One cell: net, recipe, identity, bytes (form -> count), lists (name -> eer, eer_ci, trials)."""


def read_results(path: Path = RESULTS_FILE) -> dict[tuple[str, str], Result]:
    """Return the finished cells, (net, recipe) -> result."""
    cells: dict[tuple[str, str], Result] = {}
    if not path.is_file():
        return cells
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            sizes = {form: int(row[f"{form}_bytes"]) for form in FORMS if row[f"{form}_bytes"]}
            cell = {
                "net": row["net"],
                "recipe": row["recipe"],
                "identity": row["identity"],
                "bytes": sizes,
                "lists": {},
            }
            cell = cells.setdefault((row["net"], row["recipe"]), cell)
            ends = [float(row["eer_low"]), float(row["eer_high"])] if row["eer_low"] else None
            cell["lists"][row["list"]] = {"eer": float(row["eer"]), "eer_ci": ends, "trials": int(row["trials"])}
    return cells


def write_result(result: Result, path: Path = RESULTS_FILE) -> None:
    """Put a cell into the file, in place of what is there of it; several processes may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cells = {**read_results(path), (result["net"], result["recipe"]): result}
        write_atomic(path, _to_csv(cells[key] for key in sorted(cells)))


def _to_csv(results: Iterable[Result]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results:
        sizes = {f"{form}_bytes": result["bytes"].get(form, "") for form in FORMS}
        for name, measured in result["lists"].items():
            low, high = measured["eer_ci"] or ("", "")
            cell = {key: result[key] for key in ("net", "recipe", "identity")}
            figures = {"list": name, "eer": measured["eer"], "eer_low": low, "eer_high": high}
            writer.writerow({**cell, **sizes, **figures, "trials": measured["trials"]})
    return stream.getvalue().encode()
