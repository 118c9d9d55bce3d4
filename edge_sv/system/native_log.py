"""Keep what C++ libraries write to stderr away from people, and at hand for an error's text."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

VERBOSE = "EDGE_SV_VERBOSE"
"""Environment variable that lets everything through, for debugging."""


@contextmanager
def held_native_log() -> Iterator[Callable[[], str]]:
    """Hold back what the block's native code writes to file descriptor 2.

    TensorFlow, LiteRT and TensorFlow Lite Micro report there, whatever Python's logging says.

    Yields:
        a function that returns what was held back so far.
    """
    if os.environ.get(VERBOSE) or sys.stderr is None:  # None: started with file descriptor 2 closed
        yield lambda: ""
        return
    with tempfile.TemporaryFile() as held:

        def text() -> str:
            return os.pread(held.fileno(), 1 << 16, 0).decode(errors="replace")

        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield text
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
