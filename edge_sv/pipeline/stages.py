"""The stages of a build, each a value in and a value out; `edge_sv.pipeline.build` puts them in order."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_sv.artifacts.artifact import (
    ModelArtifact,
    artifact_files,
    load_artifact,
    net_sha256,
    save_artifact,
)
from edge_sv.errors import DataError, UsageError
from edge_sv.package import DevicePackage, write_package
from edge_sv.package.bit_widths import check_widths
from edge_sv.package.target import Target
from edge_sv.pipeline.check_conversion import Steps, check_artifact, check_bit_exact, compare_with_float
from edge_sv.pipeline.check_generated_c import check_speaker_package
from edge_sv.pipeline.check_lookup_tables import check_tables
from edge_sv.pipeline.convert import (
    allocate_bits_with_data,
    check_set,
    compress_with_data,
    convert_with_data,
    data_identity,
    set_scoring,
)
from edge_sv.pipeline.package_stage import Limits, Staged, make_package, refuse_foreign_folder, sources_sha256
from edge_sv.pipeline.source import Source
from edge_sv.plugins.converter import Converter, find_converter
from edge_sv.plugins.generator import DEFAULT_CODE, CodeOptions
from edge_sv.recipes.bit_allocation import BitAllocation, read_bit_allocation
from edge_sv.recipes.recipe import CONVERTER_BITS, CompressionRecipe, load_recipe
from edge_sv.system.bundled import assets_dir, targets_dir
from edge_sv.system.files import sha256_bytes
from edge_sv.system.stage_cache import StageCache, folder_sha256


@dataclass(frozen=True)
class Checked:
    """A converted model that passed the check, and what the check measured, JSON values."""

    artifact: ModelArtifact
    report: dict[str, Any]


@dataclass(frozen=True)
class Stages:
    """The stages of one build.

    Args:
        source: what is built.
        target: what it is built for.
        recipe: its compression.
        data: table of speech files to calibrate and check with; None: see `convert` and `check`.
        cache: finished stages.
        steps: reports the steps within a stage.
        code: how generated code is written.
        budget: bytes of all weights, for a recipe that chooses widths; None: the recipe's own.
    """

    source: Source
    target: Target
    recipe: str
    data: Path | None
    cache: StageCache
    steps: Steps | None = None
    code: CodeOptions = DEFAULT_CODE
    budget: int | None = None

    @cached_property
    def converter(self) -> Converter:
        """The target's converter."""
        return find_converter(self.target.converter)

    @cached_property
    def data_inputs(self) -> Any:
        """Identity of the recordings that are calibrated and checked with."""
        return folder_sha256(assets_dir() / "voices") if self.data is None else data_identity(self.data)

    @cached_property
    def plan(self) -> CompressionRecipe:
        """What the recipe does.

        Raises:
            UsageError: a budget for a recipe that has none, or widths that the target does not hold.
        """
        plan = load_recipe(self.recipe).with_budget(self.budget)
        check_widths(plan, self.target)
        return plan

    @property
    def is_for_micro(self) -> bool:
        """Whether TensorFlow Lite Micro must compute the same: always, but for 16-bit activations on a phone.

        It lacks some operators on int16, and rounds others differently.
        """
        return self.target.package != "tflite" or self.plan.activation_bits == CONVERTER_BITS

    def compress(self) -> Staged[Path | None]:
        """Compress the float net, trained with the data; without data take the compressed form that came with it.

        Raises:
            DataError: no data, and no compressed form of this very net and recipe; or unusable data.
            UsageError: no float net, a rule that matches no layer.
        """
        net = self.source.net
        if not self.plan.compresses:
            return Staged(net, True, f"{self.plan.name} leaves the float net as it is")
        if net is None:
            if self.data is None:
                return Staged(None, True, f"{self.plan.name}, as it was converted")
            raise UsageError(f"{self.source.artifact} has no float net beside it to compress")
        if self.data is None and self.plan.fine_tuning is not None:
            folder = self._bundled_net(net)
            return Staged(folder, True, f"{self.plan.name}, as it came with the model{_widths_note(folder)}")
        folder, kept = self.cache.run("compress", self.compress_inputs(net), make=self._compress, read=_read_net)
        return Staged(folder, kept, f"{self.plan.name}: {self.plan.description}{_widths_note(folder)}")

    def widths(self) -> BitAllocation | None:
        """Plan the widths of the float net's layers, or read the plan of the compressed form that came with it.

        None for a recipe that chooses no widths, and where there is no float net.

        Raises:
            UsageError: a rule matches no layer, or a budget that no plan keeps.
            DataError: the net or the data cannot be used.
        """
        if self.plan.mixed is None or self.source.net is None:
            return None
        if self.data is None and not self.needs_data:
            return self._bundled_widths()
        return allocate_bits_with_data(self.source.net, self.plan, self.data, steps=self.steps)

    @property
    def needs_data(self) -> bool:
        """Whether widths can be planned without data, but not the net compressed to them."""
        found = self.plan.mixed is not None and self.source.net is not None
        return found and self.data is None and self._bundled_widths() is None

    def _bundled_widths(self) -> BitAllocation | None:
        """Return the plan of the compressed form that came with the net, if it is of the budget that is asked for."""
        widths = read_bit_allocation(self.source.compressed) if self.source.compressed else None
        return widths if widths and self.budget in (None, widths.budget) else None

    def convert(self, net: Path | None) -> Staged[ModelArtifact]:
        """Convert a net, calibrated with the data; without data take the converted form that came with the model.

        Args:
            net: what `compress` gave.

        Raises:
            DataError: no data, and no converted form of this very net, recipe and converter; or unusable data.
            UsageError: data, and no float net.
        """
        data = self.data
        if data is None:
            return Staged(self._bundled_artifact(net), True, f"{self.plan.name}, as it came with the model")
        if net is None:
            raise UsageError(f"{self.source.artifact} has no float net beside it, so it cannot be calibrated again")

        def make(folder: Path) -> None:
            save_artifact(folder / "artifact", convert_with_data(self.converter, net, self.recipe, data))

        artifact, kept = self.cache.run("convert", self.convert_inputs(net), make=make, read=_read_artifact)
        return Staged(artifact, kept, f"{self.plan.name}, {len(artifact.model):,} bytes")

    def check(self, artifact: ModelArtifact, net: Path | None) -> Staged[Checked]:
        """Check the model against the net it was converted from; with a development list set its threshold and cohort.

        Without data the bundled synthetic voices are used. An artifact whose float net is not at hand must have been
        checked when it was made; then only its bit-exactness is checked again.

        Raises:
            AccuracyGateFailed: it does not compute what the float net computes.
            DataError: never checked and no float net at hand, or unusable data.
        """

        def make(folder: Path) -> None:
            checked = self._check(artifact, net)
            save_artifact(folder / "artifact", checked.artifact)
            (folder / "check.json").write_text(json.dumps(checked.report))

        checked, kept = self.cache.run("check", self.check_inputs(artifact, net), make=make, read=_read_checked)
        cosine, source = checked.report["cosine_min"], checked.report["source"]
        exact = "bit-exact, " if checked.report["bit_exact"] else ""
        return Staged(checked, kept, f"{exact}cosine to float at least {cosine:.4f} on {source}")

    def package(self, checked: Checked, out: Path, limits: Limits) -> Staged[DevicePackage]:
        """Write the package and place it at `out`; generated code and lookup tables only if they compute the same.

        Raises:
            AccuracyGateFailed: generated code does not compute what TensorFlow Lite Micro computes, or the model with
                lookup tables not what it computes without.
            DoesNotFit: it is larger than a limit.
            UsageError: `out` is something else than a package.
            DataError: `out` is not writable.
        """
        refuse_foreign_folder(out)

        def make(folder: Path) -> None:
            package = write_package(
                checked.artifact,
                self.target,
                folder / "package",
                max_flash=limits.flash,
                max_ram=limits.ram,
                check=checked.report,
                code=self.code,
            )
            if package.manifest.generated is not None:
                check_speaker_package(package, check_set(self.data))
            if package.manifest.lookup is not None:
                check_tables(package, checked.artifact, check_set(self.data))

        return make_package(self.cache, self.package_inputs(checked, limits), out, make=make)

    def kept_net(self) -> Path | None:
        """Return the net that an earlier build compressed, None when there is none."""
        if not self.plan.compresses or self.source.net is None:
            return self.source.net
        return self.cache.find("compress", self.compress_inputs(self.source.net), read=_read_net)

    def kept_artifact(self, net: Path) -> ModelArtifact | None:
        """Return the converted model of an earlier build, None when there is none."""
        return self.cache.find("convert", self.convert_inputs(net), read=_read_artifact)

    def kept_check(self, artifact: ModelArtifact, net: Path | None) -> Checked | None:
        """Return the check of an earlier build, None when there is none."""
        return self.cache.find("check", self.check_inputs(artifact, net), read=_read_checked)

    def compress_inputs(self, net: Path) -> Any:
        """Everything that the compressed net depends on."""
        return [net_sha256(net), self.plan.to_dict(), None if self.plan.fine_tuning is None else self.data_inputs]

    def convert_inputs(self, net: Path) -> Any:
        """Everything that the converted model depends on."""
        code = sources_sha256(self.converter)
        return [net_sha256(net), self.plan.to_dict(), self.converter.version, code, self.data_inputs]

    def check_inputs(self, artifact: ModelArtifact, net: Path | None) -> Any:
        """Everything that the check depends on."""
        nets = [path and net_sha256(path) for path in (net, self.source.net)]
        return [_identity(artifact), nets, self.data_inputs, *([] if self.is_for_micro else ["not for micro"])]

    def package_inputs(self, checked: Checked, limits: Limits) -> Any:
        """Everything that the package depends on."""
        sources = [folder_sha256(targets_dir()), sources_sha256(self.converter), asdict(self.code)]
        return [_identity(checked.artifact), checked.report, self.target.to_dict(), sources, asdict(limits)]

    def _compress(self, folder: Path) -> None:
        """Compress into a folder; what is finished of the training is kept in the work folder until the end."""
        assert self.source.net is not None
        run = self.cache.folder("compress", self.compress_inputs(self.source.net)).with_suffix(".run")
        compress_with_data(
            self.source.net, self.recipe, self.data, run=run, out=folder, budget=self.budget, steps=self.steps
        )

    def _bundled_net(self, net: Path) -> Path:
        """Return the compressed form that came with a net."""
        hint = "give --data INDEX.csv: a table of speech files to train with"
        if self.source.compressed is None:
            raise DataError(f"{net} was never compressed", details={"recipe": self.plan.name}, hint=hint)
        provenance = json.loads((self.source.compressed / "net.json").read_bytes()).get("provenance", {})
        if provenance.get("compressed_from") != net_sha256(net):
            raise DataError(f"{self.source.compressed} was compressed from another net than {net}", hint=hint)
        if self.budget is not None and self._bundled_widths() is None:
            widths = read_bit_allocation(self.source.compressed)
            raise DataError(
                f"{self.source.compressed} was compressed to another budget",
                details={"got": f"{widths.budget:,} bytes" if widths else "none", "wanted": f"{self.budget:,} bytes"},
                hint=f"{hint}; or leave out --budget",
            )
        return self.source.compressed

    def _bundled_artifact(self, net: Path | None) -> ModelArtifact:
        hint = "give --data INDEX.csv: a table of speech files to calibrate with"
        if self.source.artifact is None:
            raise DataError(f"{self.source.net} was never converted", details={"recipe": self.plan.name}, hint=hint)
        artifact = load_artifact(self.source.artifact)
        wanted = {"recipe": self.plan.name, "converter": f"{self.converter.name} {self.converter.version}"}
        if net is not None:
            wanted["float_sha256"] = net_sha256(net)
        got = {**artifact.provenance, "recipe": artifact.recipe}
        different = [name for name, value in wanted.items() if got.get(name) != value]
        if different:
            raise DataError(
                f"the converted model in {self.source.artifact} is not of this float net, recipe and converter",
                details={name: f"{got.get(name)}, needed {wanted[name]}" for name in different},
                hint=hint,
            )
        return artifact

    def _check(self, artifact: ModelArtifact, net: Path | None) -> Checked:
        data = check_set(self.data)
        if net is None:
            stated = artifact.provenance.get("check")
            if not isinstance(stated, dict):
                raise DataError(
                    f"'{artifact.name}' was never checked against its float net",
                    hint="put the artifact's folder into the float net's folder, or build from the float net",
                )
            if self.is_for_micro:
                check_bit_exact(artifact, data)
            return Checked(artifact, stated)
        report = check_artifact(
            artifact,
            net,
            data,
            float_model=lambda: self.converter.convert_float(net),
            micro=self.is_for_micro,
            steps=self.steps,
        )
        if self.plan.compresses and self.source.net is not None:
            report = compare_with_float(report, self.source.net, data, steps=self.steps)
        if self.data is not None:
            artifact = set_scoring(artifact, report, data, self.data, steps=self.steps)
        return Checked(artifact, report.to_dict())


def _widths_note(net: Path) -> str:
    widths = read_bit_allocation(net)
    return f"; {widths.describe()}" if widths else ""


def _read_net(folder: Path) -> Path:
    """Return a kept net's folder.

    Raises:
        DataError: it is not whole.
    """
    net_sha256(folder)
    return folder


def _read_artifact(folder: Path) -> ModelArtifact:
    return load_artifact(folder / "artifact")


def _read_checked(folder: Path) -> Checked:
    try:
        report: dict[str, Any] = json.loads((folder / "check.json").read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} is damaged", details={"got": str(error)}) from error
    return Checked(_read_artifact(folder), report)


def _identity(artifact: ModelArtifact) -> list[str]:
    return sorted(sha256_bytes(data) for data in artifact_files(artifact).values())
