"""Templates of code, documents and pages, and what their expressions may insert.

A template is trusted, what it is filled with is not: a layer, a recipe or a file may have any name. Text that an
expression inserts is therefore written by the rule of the file's language, so that it can end neither the comment nor
the string it stands in, and can begin no statement, command or element. The rule follows from the template's name, and
every environment is opened here: a template cannot go without. `Code` is exempt.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATE_SUFFIX = ".j2"
_C = (".c", ".cc", ".cpp", ".h", ".hpp")
_HTML = (".html", ".svg", ".xml")
_MARKDOWN = (".md",)
_C_SIGNS = frozenset(" !#$%&'()*+,-./:;<=>@[]^_`{|}~")
_MARKDOWN_SIGNS = frozenset(" \"%'()+,-./:;=?@_")
_PLAIN_SIGNS = frozenset(" +,-./:_")


class Code(str):
    """Source code, inserted as it is: made of numbers, fixed text and checked identifiers, of no text from a file."""

    __slots__ = ()


def open_templates(
    folder: Path, *, filters: Mapping[str, Callable[..., Any]] | None = None, trim_blocks: bool = False
) -> jinja2.Environment:
    """Open a folder of templates, `NAME.SUFFIX.j2`.

    They see what they are given and nothing of Python behind it; a name that is missing is an error.

    Args:
        folder: where they lie.
        filters: beside Jinja's own.
        trim_blocks: whether a line that holds nothing but a statement leaves no line.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: _suffix(name) in _HTML,
        finalize=_finalize,
        keep_trailing_newline=True,
        trim_blocks=trim_blocks,
        lstrip_blocks=trim_blocks,
    )
    environment.filters.update(filters or {})
    return environment


def escape_c(text: str) -> str:
    """Write text for a comment or a string literal in C: one line without quotes, backslashes and ends of comments."""
    plain = "".join(sign if sign.isalnum() or sign in _C_SIGNS else "_" for sign in text)
    apart = plain.replace("*/", "* /").replace("/*", "/ *")
    return f"{apart} " if apart.endswith("*") else apart


def escape_markdown(text: str) -> str:
    """Write text for a line of Markdown: what begins a mark, an element, a link or a cell becomes an HTML entity."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    return "".join(sign if sign.isalnum() or sign in _MARKDOWN_SIGNS else f"&#{ord(sign)};" for sign in line)


def escape_plain(text: str) -> str:
    """Write text for a file of any other language: letters, digits and few signs, for example in make and CMake."""
    return "".join(sign if sign.isalnum() or sign in _PLAIN_SIGNS else "_" for sign in text)


@jinja2.pass_context
def _finalize(context: jinja2.runtime.Context, value: object) -> object:
    suffix = _suffix(context.name)
    if suffix in _HTML or isinstance(value, Code) or _is_number(value):
        return value
    escape = escape_c if suffix in _C else escape_markdown if suffix in _MARKDOWN else escape_plain
    return escape(str(value))


def _suffix(template: str | None) -> str:
    return PurePosixPath((template or "").removesuffix(TEMPLATE_SUFFIX)).suffix


def _is_number(value: object) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return all(_is_number(item) for item in value)
    return isinstance(value, numbers.Number)
