"""A report's document with figures that are made up: one float net, two converted forms, every section filled."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sv.analysis.weights import HISTOGRAM_EDGES

Document = dict[str, Any]
NET, WIDE, NARROW = "net", "net static_wi8_ai8", "net palette_w4_ai8"
LABELS = (f"{NET} float", WIDE, NARROW)
LAYERS = ("stem_conv", "embedding")
PARTS = ("weights", "codebook", "scales", "biases", "other")


def make_document() -> Document:
    """Return a new document; tests change what they are about."""
    return {
        "schema_version": 1,
        "edge_sv": "0.1.0",
        "title": NET,
        "command": "edge-sv report runs/net --data speech/index.csv",
        "data": "speech/index.csv",
        "runtime": "tflite",
        "models": [
            _model(LABELS[0], "float", 40000, "parameters", 32.0),
            _model(WIDE, "static_wi8_ai8", 10000, "cortex-m", 8.0),
            _model(NARROW, "palette_w4_ai8", 6000, "cortex-m", 4.5),
        ],
        "nets": [make_net()],
        "forms": [_form(WIDE, 8, 8.0, 10000), _form(NARROW, 4, 4.5, 6000)],
        "weights": {"nets": [_weights()], "gaussian": _layer_weights("gaussian"), "correlations": []},
        "layers": [_traced(WIDE, 30.0), _traced(NARROW, 20.0)],
        "lists": [make_list("aa"), make_list("all lists")],
        "probes": {"probes": [_probe()], "skipped": [{"task": "text", "corpus": "aa", "reason": "no words"}]},
        "languages": [make_languages()],
        "left_out": [{"section": "plots", "reason": "a reason"}],
    }


def make_net() -> Document:
    return {
        "name": NET,
        "folder": "runs/net",
        "family": "resnet",
        "config": {"embedding_dim": 16},
        "features": {
            "sample_rate": 16000,
            "window_ms": 25.0,
            "hop_ms": 10.0,
            "fft_size": 512,
            "num_mels": 24,
            "fmin_hz": 20.0,
            "fmax_hz": 7600.0,
            "normalization": "running_mean",
        },
        "segments": {"frames": 64, "hop_frames": 32},
        "embedding_dim": 16,
        "parameters": 10000,
        "macs": 800000,
        "macs_per_second": 1250000,
        "float_bytes": 40000,
        "epoch": 2,
        "dev": {"dev_eer": 0.125},
        "history": {"epoch": [1.0, 2.0, 3.0], "loss": [3.0, 1.5, 1.25], "dev_eer_aa": [0.3, 0.125, 0.2]},
    }


def make_list(name: str) -> Document:
    drift = {
        "threshold": 0.4,
        "target_mean": -0.01,
        "non_target_mean": 0.02,
        "std": 0.03,
        "correlation": 0.99,
        **{flips: _flips(0.02) for flips in ("flips", "harmful", "new_misses", "new_false_accepts", "recalibrated")},
        "histogram": {"edges": [-0.1, 0.0, 0.1], "counts": [30, 70]},
        "bands": [{"low": 0.0, "high": 0.1, **_flips(0.1)}, {"low": 0.1, "high": None, **_flips(0.0)}],
    }
    return {
        "name": name,
        "command": "" if name == "all lists" else f"edge-sv evaluate MODEL --trials {name}/trials_test.txt",
        "trials": 1000,
        "targets": 100,
        "recordings": 50,
        "speakers": 10,
        "errors": [
            _errors(LABELS[0], 0.0411, None, None),
            _errors(WIDE, 0.0422, 0.0011, drift),
            _errors(NARROW, 0.0633, 0.0222, drift),
        ],
    }


def make_languages() -> Document:
    def pair(enroll: str, test: str) -> Document:
        errors = [
            {
                "model": label,
                "eer": 0.05 + 0.01 * place,
                "eer_ci": [0.03, 0.09],
                "change": 0.01 * place if place else None,
                "change_ci": [0.0, 0.03] if place else None,
                "false_accept_rate": 0.04,
                "false_reject_rate": 0.06,
            }
            for place, label in enumerate(LABELS)
        ]
        counts = {"trials": 500, "targets": 50, "speakers": 8}
        return {"name": f"{enroll}-{test}", "enroll": enroll, "test": test, **counts, "errors": errors}

    return {"source": "speech/bb", "pairs": [pair("en", "en"), pair("zh", "en")], "skipped": {}}


def _model(label: str, form: str, size: int, bytes_of: str, mean_bits: float) -> Document:
    return {
        "label": label,
        "short": form,
        "net": NET,
        "form": form,
        "is_float": form == "float",
        "bytes": size,
        "bytes_of": bytes_of,
        "ratio": 40000 / size,
        "mean_bits": mean_bits,
        "dev_eer": 0.125,
    }


def _form(label: str, bits: int, mean_bits: float, total: int) -> Document:
    sums = {**dict.fromkeys(PARTS, 0), "weights": total - 300, "scales": 200, "biases": 100, "structure": 0}
    check = {"eer_float": 0.12, "eer_int8": 0.13, "trials": 36, "cosine_min": 0.98, "cosine_mean": 0.99}
    return {
        "label": label,
        "net": NET,
        "recipe": label.split()[1],
        "description": "a recipe",
        "path": f"runs/net/{label.split()[1]}",
        "sha256": "0" * 64,
        "flash": {"cortex-m": {"form": "cortex-m", "total": total, "structure": 0, "layers": [], "sums": sums}},
        "bits": dict.fromkeys(LAYERS, bits),
        "mean_bits": mean_bits,
        "check": {**check, "exact_segments": 12, "source": "voices", "uncompressed": None},
        "scoring": {"kind": "cosine", "threshold": 0.375},
        "development": {},
    }


def _weights() -> Document:
    layers = [_layer_weights(name) for name in LAYERS]
    return {**_layer_weights(NET), "name": NET, "family": "resnet", "layers": layers}


def _layer_weights(name: str) -> Document:
    centres = (HISTOGRAM_EDGES[1:] + HISTOGRAM_EDGES[:-1]) / 2
    return {
        "layer": name,
        "weights": 5000,
        "excess_kurtosis": 0.5,
        "outliers": 0.001,
        "roughness": 1.1,
        "losses": {"kmeans/4": 0.01},
        "histogram": (np.exp(-(centres**2) / 2) / np.sqrt(2 * np.pi)).tolist(),
    }


def _traced(label: str, level: float) -> Document:
    layers = [{"layer": name, "total_db": level - place, "worst": place == 1} for place, name in enumerate(LAYERS)]
    return {
        "label": label,
        "recipe": label.split()[1],
        "segments": 12,
        "source": "voices",
        "embedding_cosine": 0.9912,
        "layers": layers,
    }


def _errors(label: str, eer: float, change: float | None, drift: Document | None) -> Document:
    return {
        "model": label,
        "eer": eer,
        "eer_ci": [eer - 0.01, eer + 0.01],
        "change": change,
        "change_ci": None if change is None else [change - 0.005, change + 0.005],
        "min_dcf": {"0.01": 0.5, "0.05": 0.25},
        "min_cllr": 0.15,
        "false_accept_rate": 0.01,
        "false_reject_rate": 0.1,
        "threshold_source": "eer" if change is None else "model",
        "curve": {"miss": [0.5, 0.1, eer, 0.01], "false_accept": [0.001, 0.01, eer, 0.3]},
        "drift": drift,
    }


def _flips(rate: float) -> Document:
    return {"rate": rate, "flips": round(1000 * rate), "trials": 1000, "ci": [rate / 2, 2 * rate] if rate else None}


def _probe() -> Document:
    readings = [
        {
            "model": label,
            "accuracy": 0.9 - 0.1 * place,
            "accuracy_ci": [0.6, 0.95],
            "change": -0.1 * place if place else None,
            "change_ci": [-0.3, 0.0] if place else None,
        }
        for place, label in enumerate(LABELS)
    ]
    return {
        "task": "gender",
        "asks": "the speaker's gender",
        "corpus": "aa",
        "unseen": ["speaker"],
        "caution": "",
        "recordings": 48,
        "speakers": 12,
        "classes": {"f": 24, "m": 24},
        "majority": 0.5,
        "readings": readings,
    }
