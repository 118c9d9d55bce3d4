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

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from edge_sv.errors import ToolMissing, UsageError, unknown_name
from edge_sv.system.extras import extra_of

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
        UsageError: there is none of this name, or two distributions have one; says which are installed.
        ToolMissing: it is installed and does not load; says why.
    """
    point = _find(group, name)
    try:
        return point.load()()
    except Exception as error:
        raise ToolMissing(
            f"{_KINDS[group]} '{name}' does not load",
            details={
                "got": str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}",
                "entry point": f"{point.value}, of {_distribution(point)}",
            },
            hint=_how_to_mend(point, error),
        ) from error


def _find(group: str, name: str) -> EntryPoint:
    installed = entry_points(group=group)
    if not installed:
        raise UsageError(
            f"no {_KINDS[group]} is installed, so there is no '{name}'",
            details={"looked for": f"entry points of the group {group}"},
            hint="install edge-sv itself: pip install edge-sv, or pip install --editable . in a checkout",
        )
    found = [point for point in installed if point.name == name]
    if not found:
        raise unknown_name(_KINDS[group], name, installed.names)
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} installed distributions have a {_KINDS[group]} '{name}'",
            details={_distribution(point): point.value for point in found},
            hint="uninstall all but one of them",
        )
    return found[0]


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown distribution"


def _how_to_mend(point: EntryPoint, error: Exception) -> str:
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and (extra := extra_of(package)):
        return f"pip install 'edge-sv[{extra}]'"
    return f"pip install --upgrade {_distribution(point)}, in a version that fits this version of edge-sv"
