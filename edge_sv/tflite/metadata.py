"""Put named bytes into a .tflite's metadata without touching the model, and get them back.

The model file stays whole: it becomes the tail of the new file, behind a new root table that lists the old buffers and
metadata and then the added ones. FlatBuffers offsets point forward, so the new root can reach everything in the old
file, and the model computes what it computed, from the same bytes, at the same alignment. Any reader of the TensorFlow
Lite schema finds the added entries in `Model.metadata`; `strip` gives the old file back, bit for bit.

Source: FlatBuffers internals (wire format), https://flatbuffers.dev/internals/; tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from edge_sv.errors import DataError

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Of a buffer's bytes in a .tflite (force_align), so also of the old file's place in the new one."""

# Fields of table Model: 0 version (a number), then references.
_BUFFERS, _METADATA, _NUM_FIELDS = 4, 6, 10


def embed(model: bytes, entries: Mapping[str, bytes]) -> bytes:
    """Return the model with metadata entries added.

    Args:
        model: a .tflite file.
        entries: name -> content.

    Raises:
        DataError: it is not a .tflite, or keeps buffers outside of its FlatBuffer.
    """
    old = _Model.read(model)
    vtable_bytes = (4 + 2 * _NUM_FIELDS + 3) & ~3
    table = 8 + vtable_bytes
    out = _Writer(bytearray(table + 4 + 4 * _NUM_FIELDS))
    out.data[4:8] = IDENTIFIER
    out.put(0, "<I", table)
    out.put(8, "<HH", 4 + 2 * _NUM_FIELDS, 4 + 4 * _NUM_FIELDS)
    out.put(table, "<i", table - 8)
    fields = {**old.fields, _BUFFERS: 0, _METADATA: 0}
    for number in fields:
        out.put(8 + 4 + 2 * number, "<H", 4 + 4 * number)
    place = {number: table + 4 + 4 * number for number in fields}
    out.put(place[0], "<I", old.version)
    buffers = out.vector(place[_BUFFERS], len(old.buffers) + len(entries))
    metadata = out.vector(place[_METADATA], len(old.metadata) + len(entries))
    for i, (name, content) in enumerate(entries.items()):
        out.buffer(buffers[len(old.buffers) + i], content)
        out.metadata(metadata[len(old.metadata) + i], name, len(old.buffers) + i)
    base = out.pad(ALIGNMENT, 0)
    for at, target in zip(buffers, old.buffers, strict=False):
        out.refer(at, base + target)
    for at, target in zip(metadata, old.metadata, strict=False):
        out.refer(at, base + target)
    for number, target in old.fields.items():
        if number not in (0, _BUFFERS, _METADATA):
            out.refer(place[number], base + target)
    return bytes(out.data) + model


def extract(model: bytes) -> dict[str, bytes]:
    """Return all metadata entries of a .tflite, name -> content.

    Raises:
        DataError: it is not a .tflite.
    """
    parsed = _Model.read(model)
    try:
        entries = {}
        for table in parsed.metadata:
            name, number = _field(model, table, 0), _field(model, table, 1)
            index = 0 if number is None else _u32(model, number)
            data = _field(model, parsed.buffers[index], 0)
            entries["" if name is None else _bytes(model, name).decode()] = b"" if data is None else _bytes(model, data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise _not_a_model(str(error)) from error
    return entries


def strip(model: bytes, num_bytes: int) -> bytes:
    """Return the file that `embed` was given; num_bytes: its size."""
    return model[-num_bytes:] if 0 < num_bytes <= len(model) else b""


@dataclass(frozen=True)
class _Model:
    """Positions in the file: of what each field refers to, and of each buffer's and metadata entry's table."""

    version: int
    fields: dict[int, int]
    buffers: list[int]
    metadata: list[int]

    @classmethod
    def read(cls, model: bytes) -> _Model:
        if model[4:8] != IDENTIFIER:
            raise _not_a_model("no TFL3 mark at byte 4")
        try:
            root = _u32(model, 0)
            places = {n: at for n in range(_NUM_FIELDS) if (at := _field(model, root, n)) is not None}
            fields = {n: at if n == 0 else at + _u32(model, at) for n, at in places.items()}
            buffers, metadata = (_tables(model, fields[n]) if n in fields else [] for n in (_BUFFERS, _METADATA))
            outside = any(_has_outside_data(model, table) for table in buffers)
            version = _u32(model, fields[0])
        except (struct.error, KeyError) as error:
            raise _not_a_model(str(error)) from error
        if outside or _num_fields(model, root) > _NUM_FIELDS:
            raise DataError(
                "cannot add a manifest to this model",
                details={"got": "buffers outside of the FlatBuffer" if outside else "an unknown schema"},
                hint="convert it with edge-sv build",
            )
        return cls(version, fields, buffers, metadata)


@dataclass(frozen=True)
class _Writer:
    """Appends FlatBuffers structures; references always point forward."""

    data: bytearray

    def put(self, at: int, layout: str, *values: int) -> None:
        struct.pack_into(layout, self.data, at, *values)

    def refer(self, at: int, target: int) -> None:
        self.put(at, "<I", target - at)

    def pad(self, alignment: int, header: int) -> int:
        """Append zeros until what follows a header of so many bytes is aligned; return the position."""
        self.data.extend(bytes(-(len(self.data) + header) % alignment))
        return len(self.data)

    def vector(self, at: int, count: int) -> list[int]:
        """Append a vector of references, referred to from `at`; return the places of its elements."""
        start = self.pad(4, 0)
        self.refer(at, start)
        self.data.extend(struct.pack("<I", count) + bytes(4 * count))
        return [start + 4 + 4 * i for i in range(count)]

    def buffer(self, at: int, content: bytes) -> None:
        """Append table Buffer {data: [ubyte] (force_align: 16)}."""
        start = self.pad(4, 0)
        self.data.extend(struct.pack("<HHHxxiI", 6, 8, 4, 8, 0))
        self.refer(at, start + 8)
        vector = self.pad(ALIGNMENT, 4)
        self.refer(start + 12, vector)
        self.data.extend(struct.pack("<I", len(content)) + content)

    def metadata(self, at: int, name: str, buffer: int) -> None:
        """Append table Metadata {name: string; buffer: uint}."""
        start = self.pad(4, 0)
        self.data.extend(struct.pack("<HHHHiII", 8, 12, 4, 8, 8, 0, buffer))
        self.refer(at, start + 8)
        text = self.pad(4, 0)
        self.refer(start + 12, text)
        self.data.extend(struct.pack("<I", len(name.encode())) + name.encode() + b"\0")


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _vtable(data: bytes, table: int) -> int:
    at = table - int(struct.unpack_from("<i", data, table)[0])
    if at < 0:
        raise struct.error(f"a table at byte {table} has its layout before the file")
    return at


def _num_fields(data: bytes, table: int) -> int:
    return (int(struct.unpack_from("<H", data, _vtable(data, table))[0]) - 4) // 2


def _field(data: bytes, table: int, number: int) -> int | None:
    """Return the position of a table's field, None when it is absent."""
    if number >= _num_fields(data, table):
        return None
    offset = int(struct.unpack_from("<H", data, _vtable(data, table) + 4 + 2 * number)[0])
    return table + offset if offset else None


def _tables(data: bytes, vector: int) -> list[int]:
    count = _u32(data, vector)
    if vector + 4 + 4 * count > len(data):
        raise struct.error(f"a list of {count} entries at byte {vector} ends after the file")
    return [at + _u32(data, at) for at in range(vector + 4, vector + 4 + 4 * count, 4)]


def _bytes(data: bytes, reference: int) -> bytes:
    vector = reference + _u32(data, reference)
    return data[vector + 4 : vector + 4 + _u32(data, vector)]


def _has_outside_data(data: bytes, buffer: int) -> bool:
    """Tell whether a Buffer's bytes lie behind the FlatBuffer (fields offset and size, for models above 2 GB)."""
    at = _field(data, buffer, 1)
    return at is not None and int(struct.unpack_from("<Q", data, at)[0]) > 1


def _not_a_model(got: str) -> DataError:
    return DataError("not a TensorFlow Lite model", details={"got": got})
