"""Generated C on this computer: compiled, and run in a process of its own that can do nothing but compute.

What a library is generated from may be hostile, or the generator wrong. The process has no network, no files but the
library, bounded memory and bounded time (`edge_sv.system.sandbox`); if it crashes or hangs, that is an error here.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_sv.errors import DataError
from edge_sv.runtimes.confined_c import LENGTH_BYTES, REFUSED, VALUES, EsvNet
from edge_sv.runtimes.interpreter import Details, Values, describe_tensor, fit_inputs
from edge_sv.system.sandbox import clean_environment, isolated_python

TIMEOUT_S = 300.0
"""For an answer; a net takes milliseconds, a recording of an hour some seconds."""
GRACE_S = 5
"""Seconds after which the far side ends itself, when nobody is left here to end it."""

LONGEST_ANSWER = 1 << 30
FAR_SIDE = "edge_sv.runtimes.confined_c"


class ConfinedLibrary:
    """A library in a confined process, asked for one thing.

    Args:
        library: path of a library.
        kind: what to serve, a name of `confined_c.KINDS`.
        prefix: of the generated names.
        options: of that kind.
        timeout_s: for each answer; None: `TIMEOUT_S`.

    Raises:
        DataError: the library cannot be loaded, or crashes when it is.
    """

    def __init__(
        self,
        library: Path,
        kind: str,
        prefix: str,
        *,
        options: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._home = tempfile.TemporaryDirectory(prefix="edge-sv-", ignore_cleanup_errors=True)
        asked = {
            "library": str(library.resolve()),
            "kind": kind,
            "prefix": prefix,
            "options": dict(options or {}),
            "give_up_s": math.ceil(self._timeout_s) + GRACE_S,
        }
        self._process = subprocess.Popen(
            isolated_python(FAR_SIDE, json.dumps(asked)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._home.name,
            env=clean_environment(self._home.name),
            start_new_session=True,
        )
        weakref.finalize(self, _end, self._process)
        self.description = self._exchange(b"")

    def run(self, *request: bytes | memoryview) -> bytes:
        """Ask with some bytes, and return the answer.

        Raises:
            DataError: the code refuses, crashed, or did not finish.
        """
        length = sum(len(part) for part in request).to_bytes(LENGTH_BYTES, "little")
        return self._exchange(length, *request)

    def _exchange(self, *parts: bytes | memoryview) -> bytes:
        start = time.monotonic()
        timer = threading.Timer(self._timeout_s, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            answer = self._write_and_read(parts)
        except (OSError, ValueError) as error:  # it has hung up
            raise self._ended(time.monotonic() - start) from error
        finally:
            timer.cancel()
        if answer[:1] == VALUES:
            return answer[1:]
        words = answer[1:].decode(errors="replace")
        if answer[:1] == REFUSED:
            call, _, reason = words.partition("\n")
            raise DataError(f"the device answers: {reason}", details={"call": call})
        raise DataError("the generated code cannot be loaded", details={"got": words})

    def _write_and_read(self, parts: Sequence[bytes | memoryview]) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        for part in parts:
            self._process.stdin.write(part)
        self._process.stdin.flush()
        length = int.from_bytes(self._process.stdout.read(LENGTH_BYTES), "little")
        answer = self._process.stdout.read(length) if 0 < length <= LONGEST_ANSWER else b""
        if not answer or len(answer) != length:
            raise OSError("no answer")
        return answer

    def _ended(self, after_s: float) -> DataError:
        _end(self._process)
        code = self._process.wait()
        if after_s >= self._timeout_s:
            return DataError(f"the generated code did not finish within {self._timeout_s:g} s")
        return DataError(
            "the generated code crashed on this computer",
            details={"got": signal.strsignal(-code) or str(code) if code < 0 else f"exit code {code}"},
            hint="its model may be damaged or hostile; else this is a bug of edge_sv: please report it with the model",
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and let go of it."""
    for stream in (process.stdin, process.stdout):
        with suppress(OSError, AttributeError):
            stream.close()  # type: ignore[union-attr]
    process.kill()
    process.wait()


class CompiledNet:
    """A generated net, of any inputs and outputs.

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
        library: Path,
        prefix: str,
        *,
        inputs: Sequence[Details],
        outputs: Sequence[Details],
        places: Mapping[int, tuple[Details, int]] | None = None,
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self._places = places or {}
        options = {
            "inputs": [_num_bytes(details) for details in inputs],
            "outputs": [_num_bytes(details) for details in outputs],
            "whole_arena": places is not None,
        }
        self._code = ConfinedLibrary(library, "net", prefix, options=options)
        self._arena = b""

    def run(self, *inputs: Values) -> list[Values]:
        """Run the net, see `Interpreter.run`.

        Raises:
            DataError: also when the code crashes or does not finish.
        """
        answer = self._code.run(*(values.tobytes() for values in fit_inputs(inputs, self.inputs)))
        outputs = []
        for details in self.outputs:
            outputs.append(_read(details, answer, 0))
            answer = answer[_num_bytes(details) :]
        self._arena = answer
        return outputs

    def tensor(self, index: int) -> Values:
        """Return a copy of a tensor, see `TracingInterpreter.tensor`."""
        details, offset = self._places[index]
        return _read(details, self._arena, offset)


def _num_bytes(details: Details) -> int:
    return int(np.prod(details["shape"], dtype=np.int64)) * np.dtype(details["dtype"]).itemsize


def _read(details: Details, data: bytes, offset: int) -> Values:
    end = offset + _num_bytes(details)
    if end > len(data):
        raise DataError(
            "the generated code returned fewer values than it states", details={"got": f"{len(data)} bytes"}
        )
    return np.frombuffer(data[offset:end], details["dtype"]).reshape(details["shape"]).copy()


class CompiledSpeakerNet:
    """A generated speaker net, an `Interpreter`: int8 feature frames in, an int8 embedding out, whatever its plan.

    Args:
        library: defines the `esv_net`.
        prefix: its name.
    """

    def __init__(self, library: Path, prefix: str) -> None:
        self._code = ConfinedLibrary(library, "speaker", prefix)
        net = _read_net(self._code)
        self._segment = (int(net.frames), int(net.num_mels))
        self.model_sha256 = bytes(net.model_sha256).hex()
        input_grid = (float(net.input_scale), int(net.input_zero_point))
        output_grid = (float(net.output_scale), int(net.output_zero_point))
        self.inputs = [describe_tensor(0, (1, *self._segment, 1), np.int8, input_grid)]
        self.outputs = [describe_tensor(1, (1, int(net.embedding_dim)), np.int8, output_grid)]

    def run(self, *inputs: Values) -> list[Values]:
        """Embed one segment of frames, see `Interpreter.run`.

        Raises:
            DataError: it is of another size or type, or the net refuses it, crashes or does not finish.
        """
        (segment,) = fit_inputs(inputs, self.inputs)
        return [_read(self.outputs[0], self._code.run(segment.tobytes()), 0)]


class CompiledDevice:
    """The whole device runtime of a package: samples in, an embedding out, all of it the device's C.

    Recordings are not checked for speech here; whoever gives them has done so.

    Args:
        library: a package's sources.
        prefix: of its names.

    Raises:
        DataError: the runtime refuses its own configuration.
    """

    def __init__(self, library: Path, prefix: str) -> None:
        self._code = ConfinedLibrary(library, "device", prefix)
        self.embedding_dim = int(_read_net(self._code).embedding_dim)

    def embed(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        """Embed a recording, (num_samples,) int16 -> (embedding_dim,) float32 of length 1.

        Raises:
            DataError: the runtime refuses it, in its own words, crashes or does not finish.
        """
        answer = self._code.run(np.ascontiguousarray(pcm, np.int16).tobytes())
        return _read(describe_tensor(0, (self.embedding_dim,), np.float32), answer, 0)


def _read_net(code: ConfinedLibrary) -> EsvNet:
    try:
        return EsvNet.from_buffer_copy(code.description)
    except ValueError as error:
        raise DataError("the generated code does not describe its net", details={"got": str(error)}) from error
