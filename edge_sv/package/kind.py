"""Kinds of packages: plug-ins of the group `edge_sv.packages`, named by `package` in a target.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.package.budget import Footprint
from edge_sv.package.target import Target
from edge_sv.plugins.entry import PACKAGES, load_plugin
from edge_sv.plugins.generator import CodeOptions


class PackageKind(Protocol):
    """Makes packages of one kind; a class that derives from it has the properties as they are here."""

    @property
    def weight_bits(self) -> tuple[int, ...] | None:
        """Bits of compressed weights that it holds, ascending; None: any."""
        return None

    @property
    def activation_bits(self) -> tuple[int, ...]:
        """Bits of activations that its runtime has kernels for, ascending."""
        return (8, 16)

    @property
    def runs_in_tflm(self) -> bool:
        """Whether its model must run in TensorFlow Lite Micro, too, or compute what that computes."""
        return True

    def measure(self, artifact: ModelArtifact, code: CodeOptions) -> Footprint:
        """Say what the package costs."""
        ...

    def make_files(
        self,
        artifact: ModelArtifact,
        target: Target,
        footprint: Footprint,
        check: Mapping[str, Any] | None,
        code: CodeOptions,
    ) -> dict[str, bytes]:
        """Make all files of the package, path -> content."""
        ...


def find_kind(name: str) -> PackageKind:
    """Load an installed kind of package; reading a package needs none.

    Raises:
        UsageError: there is none of this name.
        ToolMissing: it is installed and does not load.
    """
    kind: PackageKind = load_plugin(PACKAGES, name)
    return kind
