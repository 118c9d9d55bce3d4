"""Which optional parts of the installation are there; all that is missing is said in one error."""

from __future__ import annotations

import importlib.util

from edge_sv.errors import ToolMissing

EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization"),
    "micro": ("tflite_micro",),
    "plot": ("matplotlib",),
    "analyze": ("sklearn",),
}
"""Extra of the distribution -> the packages that it installs, as they are imported."""


def has_extra(name: str) -> bool:
    """Tell whether all packages of an extra are installed; none is imported."""
    return not _missing(name)


def require_extras(*names: str, purpose: str) -> None:
    """Refuse to go on without some extras.

    Args:
        names: keys of EXTRAS.
        purpose: what needs them, the subject of a sentence.

    Raises:
        ToolMissing: names every package that is missing, and the one command that installs them all.
    """
    missing = {name: _missing(name) for name in names if _missing(name)}
    if missing:
        raise ToolMissing(
            f"{purpose} needs packages that are not installed",
            details={name: ", ".join(packages) for name, packages in missing.items()},
            hint=f"pip install 'edge-sv[{','.join(missing)}]'",
        )


def extra_of(package: str) -> str | None:
    """Return the extra that installs a package, named as it is imported; None: no extra does."""
    return next((extra for extra, packages in EXTRAS.items() if package in packages), None)


def _missing(name: str) -> list[str]:
    return [package for package in EXTRAS[name] if importlib.util.find_spec(package) is None]
