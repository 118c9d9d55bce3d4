"""Where the program begins: so little is loaded before `main` that Ctrl-C meets somebody who answers it."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run ``edge-sv`` and exit with its code."""
    try:
        from edge_sv.cli.app import main as run
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from edge_sv.cli.failures import report_failures

        sys.exit(report_failures(_interrupted, as_json="--json" in sys.argv))
    run()


def _interrupted() -> None:
    raise KeyboardInterrupt
