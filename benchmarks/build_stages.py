"""Wall time of a build by stage: first from nothing, then unchanged.

    python benchmarks/build_stages.py [--model resnet-nano] [--target tflite-micro] [--data INDEX.csv] [--json]

Each build runs in a process of its own, so the first one includes TensorFlow's start. Needs `[train]` and `[micro]`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet-nano")
    parser.add_argument("--target", default="tflite-micro")
    parser.add_argument("--data", type=Path, help="calibrate and check with a table of speech files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {label: time_build(options, Path(folder)) for label in ("first", "unchanged")}
    if options.json:
        print(json.dumps(runs, indent=2))
        return
    print(f"{'stage':<18} {'first':>8} {'unchanged':>10}   seconds")
    for name in runs["first"]:
        print(f"{name:<18} {runs['first'][name]:>8.2f} {runs['unchanged'][name]:>10.2f}")


def time_build(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Run one build; return seconds by stage, and of the whole process."""
    command: list[Any] = [sys.executable, "-m", "edge_sv", "build", options.model, "--target", options.target, "--json"]
    command += ["--work", folder / "work", "--out", folder / "package"]
    command += ["--data", options.data] if options.data else []
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    whole = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(done.returncode)
    stages = {stage["name"]: stage["seconds"] for stage in json.loads(done.stdout)["stages"]}
    return {**stages, "start and imports": whole - sum(stages.values()), "all": whole}


if __name__ == "__main__":
    main()
