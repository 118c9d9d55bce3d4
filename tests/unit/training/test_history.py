"""Which epoch is best, and when to stop."""

from __future__ import annotations

import pytest

from edge_sv.training.history import Row, best_row, criterion, is_over, to_csv


def rows(*errors: float) -> list[Row]:
    return [{"epoch": i + 1, "loss": 9.0 - i, "dev_eer": error} for i, error in enumerate(errors)]


def test_dev_errors_decide_and_without_them_the_loss() -> None:
    assert criterion({"epoch": 1, "loss": 3.0, "dev_eer": 0.1}) == 0.1
    assert criterion({"epoch": 1, "loss": 3.0}) == 3.0


def test_best_is_the_latest_of_equals() -> None:
    assert best_row(rows(0.3, 0.1, 0.2, 0.1, 0.2))["epoch"] == 4
    assert best_row([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])["epoch"] == 2


def test_an_early_stage_is_never_the_best() -> None:
    rows = [{"epoch": 1, "loss": 0.1, "complete": 0.0}, {"epoch": 2, "loss": 0.5, "complete": 1.0}]
    assert best_row(rows)["epoch"] == 2 and best_row(rows[:1])["epoch"] == 1


@pytest.mark.parametrize(
    ("errors", "patience", "over"),
    [
        ((), 1, False),
        ((0.3, 0.3, 0.3, 0.3), 0, False),
        ((0.3, 0.2), 1, False),
        ((0.3, 0.2, 0.2), 1, True),
        ((0.1, 0.2), 2, False),
        ((0.1, 0.2, 0.3), 2, True),
        ((0.1, 0.2, 0.05), 2, False),
        ((0.1, 0.1, 0.1), 2, True),
        ((0.1, 0.1), 2, False),
    ],
)
def test_patience_counts_epochs_without_a_better_one(errors: tuple[float, ...], patience: int, over: bool) -> None:
    assert is_over(rows(*errors), patience) is over


def test_table() -> None:
    assert to_csv(rows(0.25, 0.125)).decode().splitlines() == ["epoch,loss,dev_eer", "1,9.0,0.25", "2,8.0,0.125"]
