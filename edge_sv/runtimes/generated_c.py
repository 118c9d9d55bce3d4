"""Generated C on this computer: a net's arena and its functions, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.runtimes.interpreter import Details, Values, describe_tensor, fit_inputs

ALIGNMENT = 16


class CompiledNet:
    """A generated net in a loaded library, of any inputs and outputs.

    It is a `TracingInterpreter` when the places of its tensors are given.

    Args:
        library: has the functions that the net's header declares.
        prefix: of their names.
        inputs: descriptions, which the code itself does not have.
        outputs: the same.
        places: of a net whose tensors share no memory: description and offset in the arena of each, by index.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        prefix: str,
        *,
        inputs: Sequence[Details],
        outputs: Sequence[Details],
        places: Mapping[int, tuple[Details, int]] | None = None,
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.arena_bytes = ctypes.c_size_t.in_dll(library, f"{prefix}_arena_bytes").value
        self._places = places or {}
        self._input, self._output = (getattr(library, f"{prefix}_{name}") for name in ("input", "output"))
        for function in (self._input, self._output):
            function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_int]
        self._invoke = getattr(library, f"{prefix}_invoke")
        self._invoke.restype, self._invoke.argtypes = None, [ctypes.c_void_p]
        self._memory = np.zeros(self.arena_bytes + ALIGNMENT, np.uint8)
        self._start = -self._memory.ctypes.data % ALIGNMENT
        self._arena = self._memory.ctypes.data + self._start

    def run(self, *inputs: Values) -> list[Values]:
        """Run the net, see `Interpreter.run`."""
        for number, values in enumerate(fit_inputs(inputs, self.inputs)):
            ctypes.memmove(self._input(self._arena, number), values.ctypes.data, values.nbytes)
        self._invoke(self._arena)
        offsets = [self._output(self._arena, number) - self._arena for number in range(len(self.outputs))]
        return [self._read(details, offset) for details, offset in zip(self.outputs, offsets, strict=True)]

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, see `TracingInterpreter.tensor`."""
        return self._read(*self._places[index])

    def _read(self, details: Details, offset: int) -> Values:
        shape, dtype = details["shape"], np.dtype(details["dtype"])
        start, count = self._start + offset, int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return self._memory[start : start + count].copy().view(dtype).reshape(shape)


class _EsvNet(ctypes.Structure):
    """`esv_net` of targets/common/include/esv_net.h."""

    _fields_ = (
        ("model_sha256", ctypes.c_uint8 * 32),
        ("num_mels", ctypes.c_uint16),
        ("frames", ctypes.c_uint16),
        ("embedding_dim", ctypes.c_uint16),
        ("input_scale", ctypes.c_float),
        ("input_zero_point", ctypes.c_int32),
        ("output_scale", ctypes.c_float),
        ("output_zero_point", ctypes.c_int32),
        ("state_bytes", ctypes.c_size_t),
        ("begin", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("push", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("finish", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
    )


class CompiledSpeakerNet:
    """A generated speaker net, an `Interpreter`: int8 feature frames in, an int8 embedding out, whatever its plan.

    Args:
        library: defines the `esv_net`.
        prefix: its name.
    """

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._net = _EsvNet.in_dll(library, prefix)
        self._library = library  # stays loaded as long as the net
        self._memory = np.zeros(self._net.state_bytes + ALIGNMENT, np.uint8)
        self._state = self._memory.ctypes.data + -self._memory.ctypes.data % ALIGNMENT
        self._segment = (int(self._net.frames), int(self._net.num_mels))
        self.model_sha256 = bytes(self._net.model_sha256).hex()
        input_grid = (float(self._net.input_scale), int(self._net.input_zero_point))
        output_grid = (float(self._net.output_scale), int(self._net.output_zero_point))
        self.inputs = [describe_tensor(0, (1, *self._segment, 1), np.int8, input_grid)]
        self.outputs = [describe_tensor(1, (1, int(self._net.embedding_dim)), np.int8, output_grid)]

    def run(self, *inputs: Values) -> list[Values]:
        """Embed one segment of frames, see `Interpreter.run`.

        Raises:
            DataError: it is of another size or type, or the net refuses it.
        """
        (segment,) = fit_inputs(inputs, self.inputs)
        embedding = np.zeros(self.outputs[0]["shape"], np.int8)
        self._net.begin(self._state)
        status = 0
        for frame in segment.reshape(self._segment):
            status = status or self._net.push(self._state, frame.ctypes.data)
        status = status or self._net.finish(self._state, embedding.ctypes.data)
        if status != 0:
            raise DataError(f"the net refuses a segment of {self._segment[0]} frames", details={"status": str(status)})
        return [embedding]


class _EsvConfig(ctypes.Structure):
    """`esv_config` of targets/common/include/esv.h, whose last member is an `esv_gate_config`."""

    _fields_ = (
        ("net", ctypes.c_void_p),
        ("features", ctypes.c_void_p),
        ("port", ctypes.c_void_p),
        ("cohort", ctypes.c_void_p),
        ("top_n", ctypes.c_uint16),
        ("hop_frames", ctypes.c_uint16),
        ("threshold", ctypes.c_float),
        ("min_speech_blocks", ctypes.c_uint16),
        ("hangover_blocks", ctypes.c_uint16),
        ("open_db", ctypes.c_uint8),
        ("close_db", ctypes.c_uint8),
    )


class CompiledDevice:
    """The whole device runtime of a package: samples in, an embedding out, all of it the device's C.

    Recordings are not checked for speech here; whoever gives them has done so.

    Args:
        library: a package's sources.
        prefix: of its names.

    Raises:
        DataError: the runtime refuses its own configuration.
    """

    def __init__(self, library: ctypes.CDLL, prefix: str) -> None:
        self._library = library
        self._config = _EsvConfig.from_buffer_copy(_EsvConfig.in_dll(library, f"{prefix}_config"))
        self._config.min_speech_blocks = self._config.hangover_blocks = 0
        count = ctypes.c_size_t.in_dll(library, f"{prefix}_memory_bytes").value
        self._memory = np.zeros(count + ALIGNMENT, np.uint8)
        start = self._memory.ctypes.data + -self._memory.ctypes.data % ALIGNMENT
        self.embedding_dim = int(_EsvNet.in_dll(library, prefix).embedding_dim)
        self._device = ctypes.c_void_p()
        self._call("init", ctypes.byref(self._device), ctypes.byref(self._config), ctypes.c_void_p(start), count)

    def embed(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1.

        Raises:
            DataError: the runtime refuses it, in its own words.
        """
        samples = np.ascontiguousarray(pcm, np.int16)
        embedding = np.zeros(self.embedding_dim, np.float32)
        self._call("begin", self._device)
        self._call("feed", self._device, ctypes.c_void_p(samples.ctypes.data), samples.size)
        self._call("finish", self._device, ctypes.c_void_p(embedding.ctypes.data))
        return embedding

    def _call(self, name: str, *arguments: Any) -> None:
        arguments = tuple(ctypes.c_size_t(value) if isinstance(value, int) else value for value in arguments)
        status = getattr(self._library, f"esv_{name}")(*arguments)
        if status != 0:
            text = self._library.esv_status_text
            text.restype = ctypes.c_char_p
            raise DataError(f"the device answers: {text(status).decode()}", details={"call": f"esv_{name}"})
