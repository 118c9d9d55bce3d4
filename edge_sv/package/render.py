"""Render a package's templates: C, CMake and README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.system.templates import TEMPLATE_SUFFIX, Code, open_templates

_COLUMNS = 110


def render_folder(folder: Path, context: Mapping[str, Any]) -> dict[str, bytes]:
    """Make files out of a folder: `*.j2` are rendered and lose the suffix, the others are copied.

    A template that renders to nothing makes no file.

    Args:
        folder: the templates.
        context: what they may use; a name that is missing is an error.

    Returns:
        Path below the folder -> content.

    Raises:
        DataError: a template is not one, or uses a name that is not there.
    """
    environment = open_templates(folder, filters={write.__name__: write for write in C_FILTERS})
    files: dict[str, bytes] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix != TEMPLATE_SUFFIX:
            files[name] = path.read_bytes()
        elif text := _render(environment, name, context).strip():
            files[name.removesuffix(TEMPLATE_SUFFIX)] = f"{text}\n".encode()
    return files


def _render(environment: jinja2.Environment, name: str, context: Mapping[str, Any]) -> str:
    try:
        return environment.get_template(name).render(context)
    except (jinja2.TemplateError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(
            f"template {name} cannot be rendered",
            details={
                "got": f"line {line}: {error}" if line else str(error),
                "it may use": ", ".join(sorted(context)),
            },
        ) from error


def c_bytes(data: bytes) -> Code:
    """Write bytes as the inside of a C initializer."""
    return _rows([f"0x{byte:02x}," for byte in data])


def c_ints(values: npt.NDArray[np.integer[Any]]) -> Code:
    """Write integers, row-major, as the inside of a C initializer."""
    return _rows([f"{value}," for value in values.ravel().tolist()])


def c_floats(values: npt.NDArray[np.floating[Any]]) -> Code:
    """Write float32 values, row-major, as the inside of a C initializer; they read back to the same bits."""
    return _rows([f"{c_float(value)}," for value in values.ravel().tolist()])


def c_float(value: float) -> Code:
    """Write a float32 constant in C; it reads back to the same bits."""
    text = f"{np.float32(value):.9g}"
    return Code(f"{text}f" if "." in text or "e" in text else f"{text}.0f")


def c_string(text: str) -> Code:
    """Write a C string literal; bytes beyond ASCII in octal."""
    plain = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return Code(f'"{plain}"')


C_FILTERS = (c_bytes, c_ints, c_floats, c_float, c_string)
"""What templates may write values with."""


def _rows(items: list[str]) -> Code:
    rows: list[str] = []
    row = ""
    for item in items:
        if len(row) + len(item) + 5 > _COLUMNS:
            rows.append(row)
            row = ""
        row += f" {item}" if row else f"    {item}"
    return Code("\n".join([*rows, row]))
