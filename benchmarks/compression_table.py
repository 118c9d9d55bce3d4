"""What `compression.py` measured as a table, a csv file and a plot of bytes against EER.

    python benchmarks/compression_table.py

Reads benchmarks/results/compression; writes docs/compression-table.md, docs/compression-table.csv,
docs/compression-pareto.svg, and the README's short form of the table.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from evaluate_table import splice
from matplotlib import pyplot as plt

from edge_sv.system.files import write_atomic

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results" / "compression"
DOCS = REPOSITORY / "docs"
NETS = ("resnet-thin", "resnet-nano", "df-resnet-small", "ecapa-small", "xvector-small")
FLOAT, POOLED = "float", "pooled"
MARKS = ("<!-- compression:begin -->", "<!-- compression:end -->")
COLUMNS = ("so762", "sc12", "dsp20 zh", "dsp20 x", "libri", POOLED)
FRONT = ("palette_w2_ai8", "palette_w3_ai8", "palette_w4_ai8", "static_wi8_ai8")
"""One width for all layers, by k-means: what mixed precision is held against."""
SHORT = (FLOAT, "static_wi8_ai8", "palette_w4_ai8", "mixed_w248_ai8", "palette_w2_ai8", "binary_w1_ai8")
"""Rows of the README's short form."""
MIXED = ("mixed_w234_ai8", "mixed_w248_ai8")
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
Result = dict[str, Any]


def main() -> None:
    """Write the files."""
    results = read_results()
    readme = REPOSITORY / "README.md"
    write_atomic(readme, splice(readme.read_text(), short_table(results), MARKS).encode())
    write_atomic(DOCS / "compression-table.md", markdown(results).encode())
    write_atomic(DOCS / "compression-table.csv", to_csv(results).encode())
    write_atomic(DOCS / "compression-pareto.svg", plot(results))


def read_results() -> list[Result]:
    """Return the finished cells, in the order of the table."""
    paths = [RESULTS / net / f"{recipe}.json" for net in NETS for recipe in METHODS]
    return [json.loads(path.read_bytes()) for path in paths if path.is_file()]


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


def to_csv(results: list[Result]) -> str:
    """Write a line for each net, recipe and list, fractions and bytes."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["net", "recipe", "tflite_bytes", "tflm_bytes", "c_bytes", "list", "eer", "eer_low", "eer_high"])
    for result in results:
        sizes = [result.get("bytes", {}).get(form, "") for form in ("tflite", "tflm", "c")]
        for name, measured in result.get("lists", {}).items():
            low, high = measured["eer_ci"] or ("", "")
            writer.writerow([result["net"], result["recipe"], *sizes, name, measured["eer"], low, high])
    return stream.getvalue()


def plot(results: list[Result]) -> bytes:
    """Draw bytes against pooled EER, one panel for each net: the front of single widths, and all others beside it."""
    mpl.rcParams["svg.hashsalt"] = "edge_sv"
    nets = [net for net in NETS if any(r["net"] == net for r in results)]
    figure, axes = plt.subplots(len(nets), 1, figsize=(8, 3.2 * len(nets)), squeeze=False, layout="constrained")
    for axis, net in zip(axes[:, 0], nets, strict=True):
        _panel(axis, net, [r for r in results if r["net"] == net and r["recipe"] != "sign_w1_ai8"])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def _panel(axis: Any, net: str, results: list[Result]) -> None:
    front = [r for r in results if r["recipe"] in FRONT]
    front.sort(key=flash)
    axis.plot([flash(r) / 1000 for r in front], [100 * r["lists"][POOLED]["eer"] for r in front], color="0.6")
    for result in results:
        if result["recipe"] == FLOAT:
            axis.axhline(100 * result["lists"][POOLED]["eer"], color="0.8", linestyle=":", label="float")
            continue
        eer, (low, high) = result["lists"][POOLED]["eer"], result["lists"][POOLED]["eer_ci"]
        marker = "D" if result["recipe"] in MIXED else "o" if result["recipe"] in FRONT else "s"
        colour = mpl.colormaps["tab20"](list(METHODS).index(result["recipe"]))
        axis.errorbar(
            flash(result) / 1000,
            100 * eer,
            yerr=[[100 * (eer - low)], [100 * (high - eer)]],
            fmt=marker,
            color=colour,
            markersize=6,
            elinewidth=0.6,
            label=METHODS[result["recipe"]],
        )
    axis.set(title=net, xlabel="kB of weights and tables in flash, generated C", ylabel="pooled EER in %")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    axis.grid(visible=True, alpha=0.3)


if __name__ == "__main__":
    main()
