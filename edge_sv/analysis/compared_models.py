"""Which models are compared: a float net first, then what it was converted to."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge_sv.artifacts.artifact import ModelArtifact
from edge_sv.artifacts.locate import locate
from edge_sv.artifacts.net import read_net
from edge_sv.embedders import Embedder, open_artifact, open_embedder
from edge_sv.errors import UsageError
from edge_sv.system.bundled import assets_dir

FLOAT = "float"


@dataclass(frozen=True)
class ComparedModel:
    """A model that is compared with others of its net.

    Args:
        net: the net's name.
        form: `float`, or the recipe it was converted with.
        path: a float net's or an artifact's folder, or a package.
        artifact: None for a float net.
        runtime: that it is run in.
    """

    net: str
    form: str
    path: Path
    artifact: ModelArtifact | None = field(default=None, repr=False, compare=False)
    runtime: str = "tflite"

    @property
    def label(self) -> str:
        """Name it among others: `resnet-nano palette_w4_ai8`."""
        return f"{self.net} {self.form}"

    @property
    def place(self) -> str:
        """Where it is, for people: a bundled net by `assets/NAME`, wherever this package is installed."""
        bundled = assets_dir().resolve()
        path = self.path.resolve()
        return f"assets/{path.relative_to(bundled)}" if path.is_relative_to(bundled) else str(self.path)

    @property
    def is_float(self) -> bool:
        """Whether it is the net that the others of its name were converted from."""
        return self.form == FLOAT

    @property
    def open(self) -> functools.partial[Embedder]:
        """A function that opens it and that worker processes can be handed."""
        return functools.partial(open_embedder, self.path, runtime=self.runtime)


def find_compared_models(
    models: Iterable[str | Path], *, runtime: str = "tflite", keras: bool = True
) -> list[ComparedModel]:
    """Find the models that are meant, each once.

    A float net's folder or a bundled net's name means the float net and every converted form in it; an artifact or a
    package means itself, and the float net in whose folder it lies.

    Args:
        models: names, folders and files.
        runtime: of converted models.
        keras: whether float nets are wanted, which need TensorFlow.

    Returns:
        For each net the float net first, then its forms, the largest model first.

    Raises:
        UsageError: there is no such model, a folder holds a float net only and none is wanted, or two have one name.
        DataError: a model is damaged.
    """
    floats: dict[Path, ComparedModel] = {}
    converted: dict[Path, ComparedModel] = {}
    for model in models:
        located = locate(model)
        net, forms = located.net, located.artifacts() or ([] if located.net else [located.path])
        if net is not None and keras:
            floats.setdefault(net.resolve(), _float_net(net))
        if not forms and not keras:
            raise UsageError(f"{model} holds a float net only", hint="edge-sv convert it first, or allow float nets")
        for form in forms:
            converted.setdefault(form.resolve(), _converted(form, runtime))
    _check_labels([*floats.values(), *converted.values()])
    names = list(dict.fromkeys(found.net for found in (*floats.values(), *converted.values())))
    ordered = sorted(converted.values(), key=lambda c: (-_model_bytes(c), c.form))
    return [found for name in names for found in (*floats.values(), *ordered) if found.net == name]


def _check_labels(compared: Iterable[ComparedModel]) -> None:
    """Refuse two models of one name: figures go by it, and one's would be taken for the other's."""
    places: dict[str, str] = {}
    for each in compared:
        if each.label in places:
            raise UsageError(
                f"two models are called '{each.label}'",
                details={"one": places[each.label], "other": each.place},
                hint="compare them one at a time, or rename one net: name in its net.json",
            )
        places[each.label] = each.place


def has_tensorflow() -> bool:
    """Whether float nets can be run here."""
    return importlib.util.find_spec("tensorflow") is not None


def float_of(candidate: ComparedModel, compared: Iterable[ComparedModel]) -> ComparedModel | None:
    """Return the float net that a converted model is compared with; None when it is not among the compared models."""
    same = (other for other in compared if other.net == candidate.net and other.is_float)
    return None if candidate.is_float else next(same, None)


def _float_net(folder: Path) -> ComparedModel:
    """Describe a float net; a compressed one that was not converted is no reference and goes by its recipe."""
    net = read_net(folder)
    return ComparedModel(net.name, f"{net.recipe['name']} in float" if net.recipe else FLOAT, folder, runtime="keras")


def _converted(path: Path, runtime: str) -> ComparedModel:
    artifact = open_artifact(path)
    return ComparedModel(artifact.name, artifact.recipe, path, artifact, runtime)


def _model_bytes(candidate: ComparedModel) -> int:
    return 0 if candidate.artifact is None else len(candidate.artifact.model)
