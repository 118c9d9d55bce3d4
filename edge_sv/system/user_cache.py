"""Where results that can be made again are kept: the user's cache, or a place for this user where there is none."""

from __future__ import annotations

import functools
import logging
import os
import stat
import tempfile
from pathlib import Path

_log = logging.getLogger(__name__)


def user_cache_folder() -> Path:
    """Return `$XDG_CACHE_HOME/edge-sv`, else `~/.cache/edge-sv`; where it cannot be written, a folder for this user.

    That one lies among temporary files, is readable by its owner alone, and a warning names it.
    """
    try:
        wanted = _cache_home() / "edge-sv"
    except RuntimeError:  # no home
        return _temporary_folder("no home folder")
    return wanted if _is_writable(wanted) else _temporary_folder(str(wanted))


def _cache_home() -> Path:
    """Return where a user's programs keep such results.

    Source: XDG Base Directory Specification 0.8, which lets a relative path be ignored.
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"


def _is_writable(folder: Path) -> bool:
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
    except OSError:
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


@functools.cache
def _temporary_folder(instead_of: str) -> Path:
    folder = Path(tempfile.gettempdir()) / f"edge-sv-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
            folder = Path(tempfile.mkdtemp(prefix="edge-sv-"))  # somebody else made it
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="edge-sv-"))
    _log.warning("%s cannot be written: results are kept in %s; XDG_CACHE_HOME names another place", instead_of, folder)
    return folder
