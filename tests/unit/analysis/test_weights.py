"""Figures of weights: right on distributions that are known, and refused where there is nothing to measure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from edge_sv.analysis.weights import analyze_weights, describe_gaussian, describe_layer, measure_roughness, read_kernels
from edge_sv.errors import DataError, UsageError
from edge_sv.recipes.grid import quantize
from edge_sv.recipes.quantizers import make_grid
from tests.nets import FEATURES, SEGMENTS

SHAPE = (3, 3, 16, 24)


def write_net(folder: Path, arrays: dict[str, np.ndarray], *, name: str = "net") -> Path:
    folder.mkdir(parents=True)
    features, segments = FEATURES.to_dict(), asdict(SEGMENTS)
    about = {"format": 1, "name": name, "family": "resnet", "config": {}, "provenance": {}}
    about |= {"features": features, "segments": segments}
    (folder / "net.json").write_text(json.dumps(about))
    np.savez(folder / "weights.npz", **arrays)
    return folder


def peaked(share: float, seed: int) -> np.ndarray:
    """Draw gaussian weights, a share of them ten times smaller: a peak at zero and tails."""
    rng = np.random.default_rng(seed)
    small = rng.random(SHAPE) < share
    return (rng.standard_normal(SHAPE) * np.where(small, 0.1, 1)).astype(np.float32)


def test_a_gaussian_has_no_kurtosis_few_outliers_and_roughness_one() -> None:
    found = describe_gaussian()
    assert abs(found.excess_kurtosis) < 0.01
    assert found.outliers == pytest.approx(6.3e-5, abs=3e-5)
    assert found.roughness == pytest.approx(1, abs=0.01)
    # Lloyd's quantizer of a gaussian: J. Max, Quantizing for Minimum Distortion, 1960, table I
    for bits, loss in ((2, 0.1175), (3, 0.03454), (4, 0.009497)):
        assert found.losses[f"kmeans/{bits}"] == pytest.approx(loss, rel=0.03)


def test_roughness_does_not_depend_on_how_many_weights_there_are() -> None:
    rng = np.random.default_rng(0)
    few = [measure_roughness(rng.standard_normal(1000)) for _ in range(60)]
    many = [measure_roughness(rng.standard_normal(20000)) for _ in range(10)]
    assert np.mean(few) == pytest.approx(1, abs=0.08)
    assert np.mean(many) == pytest.approx(1, abs=0.04)
    laplace = measure_roughness(rng.laplace(0, 0.5**0.5, 20000))
    assert 4 < laplace < 6


def test_the_scale_of_a_channel_does_not_count() -> None:
    kernel = peaked(0.3, 1)
    scaled = (kernel * np.geomspace(0.01, 100, SHAPE[-1])).astype(np.float32)
    one, other = describe_layer("a", kernel), describe_layer("a", scaled)
    assert one.excess_kurtosis == pytest.approx(other.excess_kurtosis, rel=1e-4)
    assert one.roughness == pytest.approx(other.roughness, rel=1e-2)
    assert sum(one.histogram) * 0.2 == pytest.approx(1, abs=1e-2)


def test_losses_are_the_quantizers_own() -> None:
    kernel = peaked(0.2, 2)
    losses = describe_layer("a", kernel).losses
    rounded = quantize(kernel, make_grid("powers_of_two", kernel, 3)).weights()
    assert losses["powers_of_two/3"] == pytest.approx(np.sum((kernel - rounded) ** 2) / np.sum(kernel**2), rel=1e-5)
    assert losses["kmeans/2"] > losses["kmeans/3"] > losses["kmeans/4"] > losses["kmeans/8"]
    assert "powers_of_two/8" not in losses


def test_the_rougher_layer_loses_more(tmp_path: Path) -> None:
    shares = (0.0, 0.2, 0.4, 0.6)
    layers = {f"conv{n}/kernel": peaked(share, n) for n, share in enumerate(shares)}
    analysis = analyze_weights([write_net(tmp_path / "net", layers)])
    found = {(c.measure, c.loss): c.rho for c in analysis.correlations}
    assert found["roughness", "uniform/4"] == pytest.approx(1)
    assert found["excess_kurtosis", "uniform/4"] == pytest.approx(1)
    assert all(c.layers == 4 for c in analysis.correlations)
    assert json.loads(json.dumps(analysis.to_dict()))["nets"][0]["layers"][3]["layer"] == "conv3"


def test_a_nets_figures_are_means_by_size_and_small_layers_are_not_correlated(tmp_path: Path) -> None:
    layers = {"large/kernel": peaked(0, 1), "small/kernel": peaked(0.9, 2)[..., :4], "small/bias": np.zeros(4)}
    (net,) = analyze_weights([write_net(tmp_path / "net", layers)]).nets
    large, small = net.layers
    assert (large.weights, small.weights) == (3456, 576)
    expected = (large.excess_kurtosis * 3456 + small.excess_kurtosis * 576) / 4032
    assert net.excess_kurtosis == pytest.approx(expected)
    assert analyze_weights([tmp_path / "net"]).correlations == ()


def test_depthwise_and_dense_kernels_have_output_channels_last(tmp_path: Path) -> None:
    arrays = {"deep/depthwise_kernel": np.ones((3, 3, 8, 1)), "dense/kernel": np.ones((20, 5)), "bn/gamma": np.ones(8)}
    folder = write_net(tmp_path / "net", arrays)
    shapes = {layer: kernel.shape for layer, kernel in read_kernels(folder).items()}
    assert shapes == {"deep": (3, 3, 1, 8), "dense": (1, 1, 20, 5)}


def test_what_cannot_be_analyzed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no net"):
        analyze_weights([])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"a folder without net\.json"):
        analyze_weights([tmp_path / "empty"])
    rounded = write_net(tmp_path / "rounded", {"a/kernel": np.ones((3, 3))})
    (rounded / "palettes.npz").write_bytes(b"")
    with pytest.raises(UsageError, match="rounded already"):
        analyze_weights([rounded])
    broken = write_net(tmp_path / "broken", {"a/kernel": np.full((3, 3), np.nan)})
    with pytest.raises(DataError, match="not finite"):
        analyze_weights([broken])
    (broken / "net.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        analyze_weights([broken])
    bare = write_net(tmp_path / "bare", {"a/gamma": np.ones(3)})
    with pytest.raises(DataError, match="no layer with weights"):
        analyze_weights([bare])
