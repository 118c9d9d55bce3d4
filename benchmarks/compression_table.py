"""What `compression.py` measured as a table and a plot of bytes against EER.

    python benchmarks/compression_table.py

Reads benchmarks/results/compression.csv; writes docs/compression-table.md, docs/compression-pareto.svg, and the
short form of the table in docs/results.md.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
from compression_results import REPOSITORY, Result, read_results
from evaluate_table import splice
from matplotlib import pyplot as plt

from edge_sv.system.files import write_atomic

DOCS = REPOSITORY / "docs"
NETS = ("resnet-thin", "resnet-nano", "df-resnet-small", "ecapa-small", "xvector-small")
FLOAT, POOLED = "float", "pooled"
MARKS = ("<!-- compression:begin -->", "<!-- compression:end -->")
COLUMNS = ("so762", "sc12", "dsp20 zh", "dsp20 x", "libri", POOLED)
SHORT = (FLOAT, "static_wi8_ai8", "palette_w4_ai8", "mixed_w248_ai8", "palette_w2_ai8", "binary_w1_ai8")
"""Rows of the short form."""
METHODS = {
    FLOAT: "float",
    "static_wi8_ai8": "8 bits after training",
    "qat_wi8_ai8": "8 bits in training (TFMOT)",
    "static_wi4_ai8": "uniform 4 bits",
    "qat_wi4_ai8": "uniform 4 bits (TFMOT)",
    "power_w4_ai8": "powers of two, 4 bits",
    "palette_w4_ai8": "k-means 4 bits",
    "palette_w3_ai8": "k-means 3 bits",
    "palette_w2_ai8": "k-means 2 bits",
    "mixed_w248_ai8": "mixed 2, 4, 8 bits",
    "mixed_w234_ai8": "mixed 2, 3, 4 bits",
    "cluster_w4_ai8": "16 clusters (TFMOT)",
    "binary_w1_ai8": "binary, adaptive",
    "binary_static_w1_ai8": "binary, static",
    "sign_w1_ai8": "signs, not trained",
}
"""Recipe -> what it is called in the table, in its order."""


def main() -> None:
    """Write the files."""
    results = ordered_results()
    page = REPOSITORY / "docs" / "results.md"
    write_atomic(page, splice(page.read_text(), short_table(results), MARKS).encode())
    write_atomic(DOCS / "compression-table.md", markdown(results).encode())
    write_atomic(DOCS / "compression-pareto.svg", plot(results))


def ordered_results() -> list[Result]:
    """Return the finished cells, in the order of the table."""
    cells = read_results()
    return [cells[net, recipe] for net in NETS for recipe in METHODS if (net, recipe) in cells]


def to_float(result: Result, results: list[Result]) -> tuple[str, str]:
    """Compare a row with its net's float row: how many times smaller it is, how much higher its pooled EER."""
    base = next((r for r in results if r["net"] == result["net"] and r["recipe"] == FLOAT), None)
    if base is None:
        return "", ""
    change = result["lists"][POOLED]["eer"] / base["lists"][POOLED]["eer"] - 1
    return f"{flash(base) / flash(result):.1f}", f"{change:+.1%}"


def markdown(results: list[Result]) -> str:
    """Write one table for each net."""
    head = """# The compression table

Made by `python benchmarks/compression.py` and `python benchmarks/compression_table.py`; what the columns are is in
[compression.md](compression.md#the-table). EER in %, 95 % intervals over speakers in brackets.

![Bytes in flash against pooled EER](compression-pareto.svg)
"""
    return head + "".join(f"\n## {net}\n\n" + "\n".join(_rows(net, results)) + "\n" for net in NETS)


def short_table(results: list[Result]) -> str:
    """Write bytes and pooled EER of the main recipes, a column for each net."""
    cells = {(r["net"], r["recipe"]): f"{flash(r) / 1000:.0f} kB: {_cell(r['lists'][POOLED])}" for r in results}
    rows = [f"| `{recipe}` | {' | '.join(cells.get((net, recipe), '') for net in NETS)} |" for recipe in SHORT]
    return "\n".join(["| recipe | " + " | ".join(NETS) + " |", "|---|" + "---:|" * len(NETS), *rows]) + "\n"


def _rows(net: str, results: list[Result]) -> Iterator[str]:
    yield "| method | recipe | .tflite | TFLM | C | ratio | " + " | ".join(COLUMNS) + " | to float |"
    yield "|---|---|" + "---:|" * (len(COLUMNS) + 5)
    for result in results:
        if result["net"] != net:
            continue
        label = f"| {METHODS[result['recipe']]} | `{result['recipe']}` |"
        sizes = [f"{result['bytes'][form]:,}" if form in result["bytes"] else "" for form in ("tflite", "tflm", "c")]
        ratio, change = to_float(result, results)
        cells = [*sizes, ratio, *(_cell(result["lists"][name]) for name in COLUMNS), change]
        yield f"{label} {' | '.join(cells)} |"


def flash(result: Result) -> int:
    """Return the bytes of a net in flash, as generated C where there is such a form."""
    return int(result["bytes"].get("c", result["bytes"]["tflite"]))


def _cell(measured: Result) -> str:
    return f"{100 * measured['eer']:.1f}" + _interval(measured)


def _interval(measured: Result) -> str:
    ends = measured["eer_ci"]
    return f" ({100 * ends[0]:.1f}–{100 * ends[1]:.1f})" if ends else ""


def pareto(results: list[Result]) -> list[Result]:
    """Return the results that no other one beats in both bytes and pooled EER, the smallest first."""
    front: list[Result] = []
    for result in sorted(results, key=lambda r: (flash(r), r["lists"][POOLED]["eer"])):
        if not front or result["lists"][POOLED]["eer"] < front[-1]["lists"][POOLED]["eer"]:
            front.append(result)
    return front


def plot(results: list[Result]) -> bytes:
    """Draw bytes against pooled EER of all nets: the front of each net as a line, what it beats as faint points."""
    settings = {"svg.hashsalt": "edge_sv", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
    with mpl.rc_context(settings):
        figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
        for number, net in enumerate(NETS):
            _draw_net(axis, net, [r for r in results if r["net"] == net and r["recipe"] != "sign_w1_ai8"], f"C{number}")
        axis.set(xscale="log", xlabel="kB of weights and tables in flash, generated C (float: 4 bytes a weight)")
        axis.set(ylabel="pooled EER in %", ylim=(4, 10))
        ticks = [25, 50, 100, 200, 400, 800, 1600]
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
        axis.grid(visible=True, alpha=0.3)
        axis.legend(title="line: not beaten in both", frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
        plt.close(figure)
    return buffer.getvalue()


def _draw_net(axis: Any, net: str, results: list[Result], colour: str) -> None:
    def places(rows: list[Result]) -> Any:
        return np.array([(flash(row) / 1000, 100 * row["lists"][POOLED]["eer"]) for row in rows]).reshape(-1, 2).T

    front = pareto(results)
    axis.plot(*places(front), "o-", color=colour, markersize=5, linewidth=1.2, label=net)
    beaten = [row for row in results if row not in front]
    axis.plot(*places(beaten), "o", color=colour, markersize=4, alpha=0.3)


if __name__ == "__main__":
    main()
