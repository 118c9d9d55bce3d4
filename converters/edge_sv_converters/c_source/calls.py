"""What an operator becomes: a call of a C kernel with its constants. The seam between lowering, plans and emission.

`operators.table.LOWERINGS` maps a kind of operator to a function `lower(operation) -> tuple[Call, ...]`, usually one
call. A plan, static or streaming, decides where tensors lie and calls the kernels; a call says what the kernel needs:

- `RowCall`: one output row from rows of its inputs. `void k(&params, const T *const rows[], T *out, void *scratch)`
- `ElementCall`: count values, each from the same place of a and b.
  `void k(&params, const T *a, const T *b, T *out, size_t count)`
- `ReduceCall`: one output row from all input rows. `void k_begin(&params, void *state)`,
  `void k_add(&params, const T *row, void *state)`, `void k_finish(&params, void *state, size_t num_rows, T *out)`
- `WholeCall`: a tensor from whole tensors. `void k(&params, const T *a, const T *b, T *out, void *scratch)`
- `ViewCall`: the same bytes under another shape; no kernel.

T is the C type of each tensor, `const T *b` there once for each input. A row is a step of H, see `Tensor.num_rows`.
Kernels keep nothing from one invocation to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy.typing as npt

from edge_sv_converters.c_source.graph import Operation, Tensor


@dataclass(frozen=True, eq=False)
class Array:
    """A constant array in flash; its C type follows `values.dtype`. Equal ones are emitted once.

    Args:
        values: emitted row-major.
        alignment: bytes.
        note: the comment beside it, its shape if empty.
    """

    values: npt.NDArray[Any]
    alignment: int = 4
    note: str = ""


Value: TypeAlias = "int | float | Array | Struct | None"
"""A member of a struct: a number, an array's address, an inner struct, or null."""


@dataclass(frozen=True, eq=False)
class Struct:
    """A constant parameter struct.

    Args:
        ctype: its C type, `esv_conv_params`.
        members: every member of the C struct in its order, name -> value.
    """

    ctype: str
    members: Mapping[str, Value]


@dataclass(frozen=True)
class Window:
    """Which rows of the input an output row is computed from: `row * stride - pad_top + tap * dilation`, tap < height.

    Args:
        height: number of taps, the kernel's height.
        stride: input rows from one output row to the next.
        dilation: input rows from one tap to the next.
        pad_top: rows of padding above the input. How many lie below follows from the tensors' rows.
        pad_value: what a row of padding holds; None: its pointer is null and the kernel passes over it.
    """

    height: int
    stride: int = 1
    dilation: int = 1
    pad_top: int = 0
    pad_value: int | None = None

    def pads(self, in_rows: int, out_rows: int) -> bool:
        """Whether any tap of any output row is padding."""
        return self.pad_top > 0 or (out_rows - 1) * self.stride - self.pad_top + self.span > in_rows

    @property
    def span(self) -> int:
        """Rows from the first tap to the last, both counted."""
        return (self.height - 1) * self.dilation + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Call:
    """What all calls share.

    Args:
        operation: where it comes from, for comments and errors.
        inputs: computed or constant tensors that are handed to the kernel, in its order.
        output: what it computes.
    """

    operation: Operation
    inputs: tuple[Tensor, ...]
    output: Tensor

    @property
    def scratch_bytes(self) -> int:
        """Working memory of one invocation, aligned to 8; a plan lays it over whatever is not alive."""
        return 0


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelCall(Call):
    """A call that runs code.

    Args:
        kernel: the C function.
        header: that declares it and its parameters.
        params: its constants.
    """

    kernel: str
    header: str
    params: Struct


@dataclass(frozen=True, eq=False, kw_only=True)
class WholeCall(KernelCall):
    """Whole tensors in, a whole tensor out.

    Args:
        scratch: bytes of working memory.
        in_place: as for `ElementCall`.
    """

    scratch: int = 0
    in_place: tuple[int, ...] = ()

    @property
    def scratch_bytes(self) -> int:
        """See `Call`."""
        return self.scratch


@dataclass(frozen=True, eq=False, kw_only=True)
class RowCall(KernelCall):
    """One output row from `window.height` rows of the one input; without a window from one row of each input.

    The kernel may read its rows until it returns, so its output row must lie apart from them.

    Args:
        window: which rows.
        scratch: bytes of working memory.
        whole: the same tensor by one call, for a plan that has all rows one behind the other.
    """

    window: Window | None = None
    scratch: int = 0
    whole: WholeCall | None = None

    @property
    def scratch_bytes(self) -> int:
        """See `Call`."""
        return self.scratch


@dataclass(frozen=True, eq=False, kw_only=True)
class ElementCall(KernelCall):
    """Values one by one, so that any number of rows may be computed by one call.

    Args:
        fixed: positions of inputs of which every row of the output sees the same (one row, or constant); with such
            an input `count` is always one row of the output.
        in_place: positions of inputs that the output may overwrite, beginning at the input's address or below it:
            values of the same size, read before what lies there is written.
    """

    fixed: tuple[int, ...] = ()
    in_place: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class ReduceCall(KernelCall):
    """One output from all rows of one input, taken as they come; `num_rows` is known only at the end.

    Args:
        state_bytes: what `k_begin` sets up and `k_add` updates, aligned to 8.
    """

    state_bytes: int

    @property
    def scratch_bytes(self) -> int:
        """The state, for a plan that has all rows at once."""
        return self.state_bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class ViewCall(Call):
    """The output has the bytes of the first input; nothing runs."""


@dataclass(frozen=True, eq=False)
class Program:
    """A lowered graph: calls in the order they run.

    Args:
        inputs: the graph's.
        outputs: the graph's.
        calls: see above.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calls: tuple[Call, ...] = field(repr=False)
