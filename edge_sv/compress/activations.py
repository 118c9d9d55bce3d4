"""Which activations of a net become integer tensors, and which of them share one range.

A converter folds batch normalizations and ReLUs into the operator before them, so what lies between these is never
rounded; and operators that only move or compare values, such as a pool or a slice, have one scale for what goes in and
what comes out. The rest are the tensors that int8 inference rounds, once each. Rounding exactly these in training is
what makes the trained net the converted one.

Source of the scheme: B. Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference, arXiv 1712.05877, section 3; which operators share a scale: the operator
specification of TensorFlow Lite's 8-bit quantization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tf_keras

from edge_sv.artifacts.activation_ranges import Range
from edge_sv.errors import UsageError

COMPUTES = frozenset({
    "Conv2D", "CompressedConv2D", "DepthwiseConv2D", "BatchNormalization", "ReLU", "Add", "Subtract", "Multiply",
    "TimeMean", "GlobalAveragePooling2D", "AddConstant", "ReciprocalRoot", "Activation",
})  # fmt: skip
MOVES = frozenset({"Reshape", "MaxPooling2D", "AveragePooling2D", "Concatenate", "ChannelSlice", "RoundInput"})
"""Give values that were there before, or means of few of them: output and inputs have one scale."""
FOLDS = {
    "Conv2D": {"BatchNormalization", "ReLU"},
    "CompressedConv2D": {"BatchNormalization", "ReLU"},
    "DepthwiseConv2D": {"BatchNormalization", "ReLU"},
    "BatchNormalization": {"ReLU"},
    "Add": {"ReLU"},
    "Subtract": {"ReLU"},
    "Multiply": {"ReLU"},
}
"""Layer -> layers that become one operator with it, when nothing else reads what is between them."""
FIXED: dict[str, Range] = {"sigmoid": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
"""Activation functions whose int8 scale TensorFlow Lite prescribes."""


@dataclass(frozen=True)
class Activations:
    """The integer tensors of a net.

    Args:
        rounded: layer whose output is rounded -> the layer whose range it has; several that meet in a move share one.
        fixed: layer -> range, of those that are prescribed.
    """

    rounded: Mapping[str, str]
    fixed: Mapping[str, Range]


@dataclass(frozen=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    function: str | None


def plan_activations(model: tf_keras.Model) -> Activations:
    """Find the integer tensors of a net that `quantization_aware.expand_layers` has prepared.

    Raises:
        UsageError: a layer of a kind that is not known here.
    """
    nodes = _read_nodes(model)
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        for source in node.inputs:
            readers[source].append(name)

    def is_rounded(name: str) -> bool:
        kinds = [nodes[reader].kind for reader in readers[name]]
        kind = nodes[name].kind
        return kind in COMPUTES and not (len(kinds) == 1 and kinds[0] in FOLDS.get(kind, ()))

    leader = {name: name for name in nodes}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for name, node in nodes.items():
        if node.kind in MOVES:
            for source in node.inputs:
                leader[find(name)] = find(source)
    first: dict[str, str] = {}
    rounded = {name: first.setdefault(find(name), name) for name in nodes if is_rounded(name)}
    fixed = {name: FIXED[node.function] for name, node in nodes.items() if node.function in FIXED}
    return Activations({name: group for name, group in rounded.items() if name not in fixed}, fixed)


def _read_nodes(model: tf_keras.Model) -> dict[str, _Node]:
    """Read layer -> kind and inputs, in the order they are computed."""
    nodes = {}
    for entry in model.get_config()["layers"]:
        kind, function = entry["class_name"], entry["config"].get("activation")
        function = None if function == "linear" else function
        if kind not in COMPUTES | MOVES | {"InputLayer"} or (function is not None and function not in FIXED):
            raise _unknown(entry["name"], kind, function)
        calls = entry["inbound_nodes"]
        if len(calls) > 1:
            raise UsageError(f"layer '{entry['name']}' is used {len(calls)} times; it can be rounded only once")
        nodes[entry["name"]] = _Node(kind, tuple(source[0] for source in (calls[0] if calls else ())), function)
    return nodes


def _unknown(name: str, kind: str, function: Any) -> UsageError:
    return UsageError(
        f"layer '{name}' cannot be trained with rounded activations",
        details={
            "got": f"{kind} with activation '{function}'" if function else kind,
            "known": ", ".join(sorted(COMPUTES | MOVES)),
        },
        hint="take a recipe whose method does not round activations: palette, static, power or binary",
    )
