"""The DET plot: miss rate against false-accept rate, both on normal-deviate axes.

Source: A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from edge_sv.scoring.metrics import DetPoints, eer_of_points
from edge_sv.system.figures import render_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS_PERCENT = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60)
LIMITS_PERCENT = (0.08, 65.0)


def det_plot(curves: Mapping[str, DetPoints], *, title: str = "", file_format: str = "svg") -> bytes:
    """Draw DET curves, each with its EER marked.

    Args:
        curves: label -> operating points.
        title: above the plot; may be empty.
        file_format: svg, png or pdf.

    Returns:
        A file's bytes.

    Raises:
        ToolMissing: matplotlib is not installed.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot(title=title)
        draw_det_axes(axes)
        for label, points in curves.items():
            (line,) = axes.plot(to_deviates(points.false_accept), to_deviates(points.miss), linewidth=1.6, label=label)
            rate = float(eer_of_points(points.miss, points.false_accept))
            line.set_label(f"{label}: EER {rate:.2%}")
            axes.plot(*[to_deviates(np.array([rate]))] * 2, marker="o", markersize=5, color=line.get_color())
        axes.legend(loc="upper right", frameon=False)

    return render_figure(draw, width=5.6, height=5.6, file_format=file_format)


def draw_det_axes(axes: Axes) -> None:
    """Give empty axes the DET plot's scales, labels and diagonal."""
    limits = to_deviates(np.array(LIMITS_PERCENT) / 100)
    axes.plot(limits, limits, color="0.8", linewidth=0.8, zorder=1)
    ticks = to_deviates(np.array(TICKS_PERCENT) / 100)
    labels = [f"{tick:g}" for tick in TICKS_PERCENT]
    axes.set(xlabel="false-accept rate, %", ylabel="miss rate, %", xlim=limits, ylim=limits, aspect="equal")
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.grid(color="0.92", linewidth=0.6)


def to_deviates(rates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn rates into normal deviates; rates of 0 and 1 lie outside the axes and are cut there."""
    return np.asarray(ndtri(np.clip(rates, 1e-5, 1 - 1e-5)), np.float64)
