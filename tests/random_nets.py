"""Random int8 nets: a few operators of all shapes, with shortcuts, as a seed decides."""

from __future__ import annotations

import random

from tests.int8_models import SAME, VALID, Int8Model


def random_net(seed: int) -> bytes:
    """Return a .tflite of up to ten operators; same seed, same net."""
    rng = random.Random(seed)
    net = Int8Model((1, rng.randint(5, 14), rng.randint(1, 6), rng.randint(1, 5)), seed=seed)
    tensors = [net.input]
    for _ in range(rng.randint(2, 9)):
        tensors.append(_operator(net, tensors, rng))
    pooled = net.mean(tensors[-1], (1, 2))
    return net.pack(net.reshape(pooled, (1, net.shape(pooled)[3])))


def _operator(net: Int8Model, tensors: list[int], rng: random.Random) -> int:
    x = rng.choice(tensors[-2:])
    height, width = net.shape(x)[1:3]
    kernel = rng.randint(1, min(3, height)), rng.randint(1, min(3, width))
    stride, padding = rng.choice([(1, 1), (1, 1), (2, 1), (2, 2)]), rng.choice([SAME, VALID])
    alike = [tensor for tensor in tensors if net.shape(tensor) == net.shape(x)]
    kind = rng.choice(["conv", "conv", "depthwise", "pool", "join", "join", "relu"])
    if kind == "conv":
        return net.conv(x, rng.randint(1, 9), kernel, stride=stride, padding=padding, relu=rng.random() < 0.5)
    if kind == "depthwise":
        return net.depthwise(x, kernel, stride=(stride[0], stride[0]), padding=padding)
    if kind == "pool":
        return net.pool(x, rng.choice(["MAX_POOL_2D", "AVERAGE_POOL_2D"]), kernel, stride=stride, padding=padding)
    if kind == "join":
        return net.join(rng.choice(["ADD", "SUB", "MUL"]), x, rng.choice(alike))
    return net.unary("RELU", x)
