"""The table of bits that a mixed recipe chose."""

from __future__ import annotations

import pytest

from edge_sv.cli.bit_widths import show_allocation
from edge_sv.recipes.bit_allocation import Choice, allocate


def test_each_layer_shows_its_choices_and_bits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    choices = {
        "stem": [Choice(2, 0.5, 100), Choice(8, 0.001, 400)],
        "fc": [Choice(2, 0.0001, 1000), Choice(4, 0.00001, 2000)],
    }
    allocation = allocate(choices, fixed=50, budget=1450, method="weight errors")
    show_allocation(allocation)
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()[:1] in (["stem"], ["fc"])}
    cells = {name: [cell for cell in row if cell not in "│┃"] for name, row in rows.items()}
    if not cells:  # the table is framed
        framed = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "│" in line]
        cells = {row[0]: row[1:] for row in framed}
    assert cells["stem"] == ["5.00e-01", "-", "1.00e-03", "8", "400"]
    assert cells["fc"] == ["1.00e-04", "1.00e-05", "-", "2", "1,000"]
    assert "Sensitivity by weight errors." in out and "50 without a choice" in out
