"""Plots as files: SVG, PNG or PDF by the file's suffix, and the same figures give the same bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sv.errors import ToolMissing, UsageError, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = {
    "svg": {"Date": None, "Creator": "edge_sv"},
    "png": {"Software": "edge_sv"},
    "pdf": {"CreationDate": None, "Creator": "edge_sv", "Producer": "edge_sv"},
}
"""Format, which is the file's suffix, -> the metadata that it gets: nothing tells the time."""
PNG_DPI = 200
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "edge_sv",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "text.parse_math": False,  # a dollar in a file's name is one
}


def figure_format(path: Path) -> str:
    """Return the format that a plot's file name asks for.

    Raises:
        UsageError: there is no such format.
    """
    name = path.suffix.removeprefix(".").lower()
    if name not in FORMATS:
        known = ", ".join(f".{each}" for each in FORMATS)
        raise UsageError(f"a plot cannot be written as {path.name}", details={"known": known})
    return name


def render_figure(
    draw: Callable[[Figure], None], *, width: float, height: float, file_format: str, font_size: float = 10
) -> bytes:
    """Draw a figure and return its file.

    Args:
        draw: draws into an empty figure.
        width: inches.
        height: inches.
        file_format: one of `FORMATS`.
        font_size: points.

    Raises:
        ToolMissing: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolMissing("plots need matplotlib", hint="pip install 'edge-sv[plot]'") from error
    stream = io.BytesIO()
    with warnings.catch_warnings(), rc_context({**_SETTINGS, "font.size": font_size}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        escape_texts(figure)
        warnings.filterwarnings("ignore", message="Glyph ")  # that no font here has: a box takes its place
        figure.savefig(stream, format=file_format, metadata=FORMATS[file_format], dpi=PNG_DPI)
    return stream.getvalue()


def escape_texts(figure: Figure) -> None:
    """Escape in a drawn figure's texts what no picture can show: a file may have any name."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text("\n".join(map(printable, text.get_text().split("\n"))))
