"""Plug-ins by entry point: four groups, so that edge_sv needs none of their packages.

| group | an entry makes |
|---|---|
| `edge_sv.converters` | a `Converter`: a float net becomes a model file |
| `edge_sv.generators` | a `Generator`: a model file becomes source code |
| `edge_sv.table_writers` | a `TableWriter`: weights of few values become lookup tables |
| `edge_sv.packages` | a `PackageKind`: a model becomes the files that a device's project takes |

An entry is a class or function without arguments that makes the plug-in.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from edge_sv.errors import ToolMissing, unknown_name

CONVERTERS = "edge_sv.converters"
GENERATORS = "edge_sv.generators"
TABLE_WRITERS = "edge_sv.table_writers"
PACKAGES = "edge_sv.packages"
_KINDS = {
    CONVERTERS: "converter",
    GENERATORS: "generator",
    TABLE_WRITERS: "table writer",
    PACKAGES: "kind of package",
}


def load_plugin(group: str, name: str) -> Any:
    """Load and make an installed plug-in.

    Args:
        group: one of the four groups.
        name: of the entry point.

    Raises:
        UsageError: there is none of this name; says which are installed.
        ToolMissing: it is installed and does not load; says why.
    """
    kind = _KINDS[group]
    installed = {point.name: point for point in entry_points(group=group)}
    if name not in installed:
        raise unknown_name(kind, name, installed)
    try:
        return installed[name].load()()
    except ImportError as error:
        raise ToolMissing(
            f"{kind} '{name}' is not usable here", details={"got": str(error)}, hint="pip install 'edge-sv[train]'"
        ) from error
    except Exception as error:
        raise ToolMissing(
            f"{kind} '{name}' does not load",
            details={"got": f"{type(error).__name__}: {error}", "entry point": installed[name].value},
            hint="install a version of that plug-in that fits this version of edge-sv",
        ) from error
