"""A hook of the documentation's site: links that leave docs/ lead to the repository's pages."""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Rewrite `../PATH` into an address below the repository's own."""
    base = config["repo_url"].rstrip("/")

    def address(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), match[1]))
        return f"]({base}/blob/main/{path}{match[2] or ''})"

    return LINK.sub(address, markdown)
