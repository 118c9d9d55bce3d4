"""Instructions for each multiply-accumulate: whole nets and single convolutions on emulated boards.

    python benchmarks/instructions.py [--board NAME ...] [--weights NAME ...] [--nets-only | --layers-only] [--json]

Nets run whole, 2 s of speech, through the code that `--target cortex-m` generates; every run is compared bit for bit
with this computer. Their weights are narrowed for the other formats without retraining, since only the cost counts
here. Counted instructions (QEMU's -icount) always come out the same; they are not cycles. `code` is everything but
weights: kernels, plan and C library. Reference figures: TensorFlow Lite Micro with CMSIS-NN on the same board, 2 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_sv.emulation import emulate, load_board
from edge_sv.pipeline.build import build
from edge_sv.pipeline.request import build_request
from edge_sv.plugins.generator import CodeOptions, find_generator
from edge_sv.system.bundled import assets_dir
from edge_sv.tflite.flatbuffer import WEIGHTED, operators, pack_model, parse_model, schema, tensor_data, tensor_shape
from tests.conv_cases import Shape, expected, random_case, run_cases

NETS = ("resnet-thin", "resnet-nano", "ecapa-small")
BOARDS = ("mps2-an386", "mps3-an547")
WEIGHTS = ("int8", "int4", "palette4", "palette4_channels")
REFERENCE = {
    ("resnet-thin", "mps2-an386"): 2.55,
    ("resnet-nano", "mps2-an386"): 2.66,
    ("ecapa-small", "mps2-an386"): 3.3,
}
"""Nets of the same topology, int8."""
LAYERS = {
    "3x3 16 > 16, 40 wide": Shape(4, 40, 16, 16),
    "3x3 32 > 32, 20 wide": Shape(4, 20, 32, 32),
    "3x3 128 > 128, 10 wide": Shape(3, 10, 128, 128),
    "stem 3x3 1 > 16": Shape(4, 80, 1, 16),
    "stem 5x5/2 1 > 16": Shape(8, 80, 1, 16, (5, 5), (2, 2)),
    "odd 3x3 13 > 7, 11 wide": Shape(5, 11, 13, 7),
    "odd 3x3 6 > 16, 40 wide": Shape(4, 40, 6, 16),
    "stride 2 3x3 16 > 32": Shape(8, 40, 16, 32, stride=(2, 2)),
    "dilation 2 3x3 16 > 32": Shape(6, 20, 16, 32, dilation=(2, 2)),
    "1x3 dilation 3 32 > 32, 100 wide": Shape(1, 100, 32, 32, (1, 3), dilation=(1, 3)),
    "1x1 16 > 32, 20 wide": Shape(4, 20, 16, 32, (1, 1)),
    "1x1 128 > 128, 100 wide": Shape(1, 100, 128, 128, (1, 1)),
    "large 9x9 8 > 16": Shape(10, 20, 8, 16, (9, 9)),
    "large 1x15 24 > 24": Shape(1, 60, 24, 24, (1, 15)),
    "1x1 of one pixel 256 > 64": Shape(1, 1, 256, 64, (1, 1)),
    "fully connected 8192 > 64": Shape(1, 1, 8192, 64, (1, 1)),
    "depthwise 3x3 32": Shape(4, 20, 32, 32, depthwise=True),
    "depthwise 1x5 64": Shape(1, 40, 64, 64, (1, 5), depthwise=True),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", nargs="+", default=BOARDS)
    parser.add_argument("--weights", nargs="+", default=WEIGHTS, choices=WEIGHTS)
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--nets-only", action="store_true")
    only.add_argument("--layers-only", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    nets = [] if options.layers_only else list(measure_nets(options.board, options.weights))
    layers = [] if options.nets_only else list(measure_layers(options.board, options.weights))
    if options.json:
        print(json.dumps({"schema_version": 1, "nets": nets, "layers": layers}, indent=2))
        return
    if nets:
        print_nets(nets)
    if layers:
        print_layers(layers, options.weights)


def measure_nets(boards: list[str], formats: list[str]) -> Iterator[dict[str, Any]]:
    """Build, run and check every net with every weight format on every board."""
    for net in NETS:
        model = (assets_dir() / net / "static_wi8_ai8" / "model.tflite").read_bytes()
        for name in formats:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "net.tflite"
                path.write_bytes(narrow(model, name))
                package = build(
                    build_request(path, target="cortex-m", out=Path(folder) / "out", code=CodeOptions(plan="static"))
                )
                generated = find_generator("c_source").generate(
                    path.read_bytes(), prefix="net", banner="", speaker=False, plan="static"
                )
                for board in boards:
                    print(f"{net} {name} {board}", file=sys.stderr)
                    done = emulate(package.package, load_board(board))
                    macs = sum(operator.macs for operator in done.operators)
                    yield {
                        "net": net,
                        "weights": name,
                        "board": board,
                        "macs": macs,
                        "instructions": done.instructions["inference"],
                        "instructions_per_mac": done.instructions["inference"] / macs,
                        "reference_per_mac": REFERENCE.get((net, board)) if name == "int8" else None,
                        "code_bytes": done.flash_bytes - generated.constant_bytes,
                        "state_bytes": done.state_bytes,
                        "ram_bytes": done.ram_bytes,
                        "bit_exact": done.bit_exact,
                    }


def narrow(model: bytes, name: str) -> bytes:
    """Give a model's weights few values: int4, or at most 16 for a layer or for each output channel."""
    if name == "int8":
        return model
    tree = parse_model(model)
    tensors = tree.subgraphs[0].tensors
    for index in {operator.inputs[1] for operator in operators(tree) if operator.kind in WEIGHTED}:
        values = tensor_data(tree, tensors[index])
        assert values is not None, "weights are constant"
        if name == "int4":
            codes = np.rint(values / 18).astype(np.int8).ravel()
            nibbles = np.append(codes, np.zeros(codes.size % 2, np.int8)).view(np.uint8) & 15
            tree.buffers[tensors[index].buffer].data = nibbles[0::2] | (nibbles[1::2] << 4)
            tensors[index].type = schema.TensorType.INT4
        else:
            channels = np.arange(tensor_shape(tensors[index])[0]) if name.endswith("channels") else np.zeros(1, int)
            codes = np.rint(values / 17.0) * 17 + channels.reshape(-1, 1, 1, 1) % 7
            tree.buffers[tensors[index].buffer].data = codes.astype(np.int8).view(np.uint8).ravel()
    return pack_model(tree)


def measure_layers(boards: list[str], formats: list[str]) -> Iterator[dict[str, Any]]:
    """Run single convolutions and check them."""
    for board in boards:
        for name in formats:
            print(f"layers {name} {board}", file=sys.stderr)
            shapes = {layer: shape for layer, shape in LAYERS.items() if name == "int8" or not shape.depthwise}
            rng = np.random.default_rng(0)
            cases = [random_case(Shape(**{**vars(shape), "format": name}), rng) for shape in shapes.values()]
            outputs, counts = run_cases(cases, load_board(board))
            for layer, case, output, count in zip(shapes, cases, outputs, counts, strict=True):
                yield {
                    "layer": layer,
                    "weights": name,
                    "board": board,
                    "macs": case.shape.macs,
                    "instructions": count,
                    "instructions_per_mac": count / case.shape.macs,
                    "bit_exact": bool(np.array_equal(output, expected(case))),
                }


def print_nets(rows: list[dict[str, Any]]) -> None:
    """Print a line for each net, weight format and board."""
    print("| net | board | weights | MMAC | M instructions | per MAC | TFLM + CMSIS-NN | code | RAM | bit-exact |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda row: (row["board"], NETS.index(row["net"]))):
        reference = "" if row["reference_per_mac"] is None else f"{row['reference_per_mac']:.2f}"
        print(
            f"| {row['net']} | {row['board']} | {row['weights']} | {row['macs'] / 1e6:.1f} "
            f"| {row['instructions'] / 1e6:.1f} | **{row['instructions_per_mac']:.3f}** | {reference} "
            f"| {row['code_bytes']:,} | {row['ram_bytes']:,} | {'yes' if row['bit_exact'] else 'NO'} |"
        )


def print_layers(rows: list[dict[str, Any]], formats: list[str]) -> None:
    """Print a line for each layer and board, a column for each weight format; ! marks a wrong result."""
    print(f"\n| instructions per MAC | board | {' | '.join(formats)} |\n|---|---|{'---|' * len(formats)}")
    for board in dict.fromkeys(row["board"] for row in rows):
        for layer in LAYERS:
            found = {row["weights"]: row for row in rows if row["layer"] == layer and row["board"] == board}
            cells = [
                f"{found[name]['instructions_per_mac']:.3f}{'' if found[name]['bit_exact'] else ' !'}"
                if name in found
                else ""
                for name in formats
            ]
            print(f"| {layer} | {board} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
