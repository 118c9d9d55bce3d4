"""How long `edge-sv --help` takes, beside the bare interpreter. It must not import TensorFlow or a runtime.

Run: python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 7
LIMIT_SECONDS = 0.5
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import edge_sv": ["-c", "import edge_sv"],
    "import numpy": ["-c", "import numpy"],
    "edge-sv --version": ["-m", "edge_sv", "--version"],
    "edge-sv --help": ["-m", "edge_sv", "--help"],
    "edge-sv verify --help": ["-m", "edge_sv", "verify", "--help"],
    "edge-sv build --help": ["-m", "edge_sv", "build", "--help"],
}


def wall_seconds(arguments: list[str]) -> float:
    """Run the interpreter once; return its wall time, start to end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Interleave the commands, so that a busy moment hits all of them, and print medians."""
    samples: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, arguments in COMMANDS.items():
            samples[name].append(wall_seconds(arguments))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    bare = medians["python -c pass"]
    print(f"{'command':<24}{'median ms':>10}{'ratio':>8}")
    for name, seconds in medians.items():
        print(f"{name:<24}{seconds * 1000:>10.0f}{seconds / bare:>8.1f}")
    verdict = "within" if medians["edge-sv --help"] < LIMIT_SECONDS else "ABOVE"
    print(f"edge-sv --help is {verdict} its limit of {LIMIT_SECONDS * 1000:.0f} ms")


if __name__ == "__main__":
    main()
