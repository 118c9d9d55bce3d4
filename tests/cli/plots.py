"""What plots say."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path


def texts(path: Path) -> str:
    """Return all texts of an SVG file."""
    root = ElementTree.fromstring(path.read_bytes())
    return " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
