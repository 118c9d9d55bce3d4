"""What every epoch came to: rows of numbers, and the questions that training asks of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

Row = dict[str, float]
"""One epoch: `epoch` from 1, mean losses, `dev_eer_<list>` of every dev list and their mean `dev_eer`."""


def criterion(row: Row) -> float:
    """Return what makes an epoch good when it is low: the mean dev EER, or the loss where there are no dev lists."""
    return row.get("dev_eer", row["loss"])


def best_row(history: Sequence[Row]) -> Row:
    """Return the best epoch, the latest of equals; one in which the net was not yet complete only if all are so."""
    return min(history, key=lambda row: (not row.get("complete", 1.0), criterion(row), -row["epoch"]))


def is_over(history: Sequence[Row], patience: int) -> bool:
    """Tell whether `patience` epochs have passed without a better one than before them; 0: never."""
    if not patience or not history:
        return False
    values = [criterion(row) for row in history]
    return len(values) - 1 - values.index(min(values)) >= patience


def to_csv(history: Sequence[Row]) -> bytes:
    """Write the rows as a table."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(history[0]))
    writer.writeheader()
    writer.writerows(history)
    return stream.getvalue().encode()
