"""Plots as SVG that can stand inside a page: nothing from outside, no clashing ids, described for who cannot see."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edge_sv.errors import ToolMissing, printable
from edge_sv.system.figures import escape_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7f3c8d", "#b2182b", "#4d9221", "#666666")
MARKERS = "osD^vPX<>h"
FLOAT_COLOR = "#111111"
"""Colors that people with color blindness tell apart; markers say the same once more."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "edge_sv",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,  # a dollar in a file's name is one
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.5",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure in the house's style, inches; it need not be closed.

    Raises:
        ToolMissing: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolMissing("plots need matplotlib", hint="pip install 'edge-sv[plot]'") from error
    with rc_context(_SETTINGS):
        yield Figure(figsize=(width, height), layout="constrained")


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """Return a figure as an element for a page. Use it inside the figure's `with` block.

    Args:
        figure: drawn.
        name: letters and dashes, unique in the page: ids get it as their beginning.
        description: one sentence that says what is seen.
    """
    stream = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    escape_texts(figure)
    figure.savefig(stream, format="svg", metadata=nothing, transparent=True)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata"):  # a style would rule the whole page
                parent.remove(child)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _prefix_ids(key, value, name))
    title = ElementTree.Element(f"{{{_SVG}}}title", id=f"{name}-title")
    title.text = printable(description)
    root.insert(0, title)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    width = figure.get_figwidth()
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title", "style": f"max-width: {96 * width:.0f}px"}
    return ElementTree.tostring(root, encoding="unicode")


def _prefix_ids(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == f"{{{_XLINK}}}href":
        return value.replace("#", f"#{name}-", 1)
    return re.sub(r"url\(#", f"url(#{name}-", value)
