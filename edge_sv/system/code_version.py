"""What a result depends on beside its inputs: the source code that computes it, and the versions of libraries.

A cached result is good as long as its key is the same. The key has the sources of the modules that compute it and of
everything that these import, at any depth, within the same distributions; so a change in a report's page leaves a
converted net as it is, and a change in a pooling layer does not.
"""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sv.system.files import sha256_bytes, sha256_file

CORE = "edge_sv"


def code_sha256(*modules: str) -> str:
    """Return one SHA-256 over the sources of some modules and of all that they import.

    Imports are read from the source, those within functions too; a string that is a module's name counts as its
    import. The `__init__` of a package that a module is in counts, what it imports for others does not. What belongs
    to neither `edge_sv` nor the top-level packages of `modules` is left out: libraries have `library_versions`.

    Args:
        modules: dotted names; a package stands for its `__init__` and what that imports.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    lines = [f"{name} {sha256_file(_source(name))}" for name in sorted(imported_modules(*modules))]
    return sha256_bytes("\n".join(lines).encode())


def code_identity(*modules: str, libraries: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return one SHA-256 over the sources of modules, the versions of libraries and some words."""
    parts = [code_sha256(*modules), library_versions(*libraries), list(options)]
    return sha256_bytes(json.dumps(parts, sort_keys=True).encode())


def imported_modules(*modules: str) -> set[str]:
    """Return modules and all that they import within their distributions, by dotted name.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    roots = frozenset({CORE, *(name.partition(".")[0] for name in modules)})
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(name, roots) if name != CORE else ()  # its face hands out names that it does not use
    return found.union(*map(_parents, found))


def library_versions(*distributions: str) -> dict[str, str | None]:
    """Return the installed versions of distributions, None for one that is not installed."""
    return {name: _version(name) for name in distributions}


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _imports(module: str, roots: frozenset[str]) -> tuple[str, ...]:
    """Return the modules of some top-level packages that a module names."""
    names = dict.fromkeys(name for name in _named(_source(module)) if name.partition(".")[0] in roots)
    return tuple(name for name in names if _find(name) is not None)


def _named(source: Path) -> Iterator[str]:
    """Yield what might be the name of a module: imports, names imported from a package, strings."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{CORE}."):
            yield node.value.partition(":")[0]


def _parents(module: str) -> Iterator[str]:
    """Yield the packages that a module is in; Python runs their `__init__` first."""
    parts = module.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _source(module: str) -> Path:
    source = _find(module)
    if source is None:
        raise ModuleNotFoundError(f"no module {module}")
    return source


@functools.cache
def _find(module: str) -> Path | None:
    """Find a module's source file without importing the module."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not rest:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        path = Path(folder).joinpath(*rest)
        for source in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
            if source.is_file():
                return source
    return None
