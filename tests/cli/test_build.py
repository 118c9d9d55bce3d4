"""`edge-sv build` as people and scripts meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from ai_edge_litert import schema_py_generated as schema

pytest.importorskip("tensorflow", reason="pip install 'edge-sv[train]'")
pytest.importorskip("tflite_micro", reason="pip install 'edge-sv[micro]' (x86-64 Linux)")

from edge_sv.cli.build import parse_size
from edge_sv.errors import UsageError
from edge_sv.models.checkpoint import NetDescription, build_net, save_net
from edge_sv.models.df_resnet import DfResNetConfig
from edge_sv.tflite.flatbuffer import pack_model, parse_model
from tests.cli.commands import EIGHT, KMEANS, Run, edge_sv
from tests.nets import FEATURES, SEGMENTS, voices
from tests.random_nets import random_net


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    path = tmp_path / "keyword.tflite"
    path.write_bytes(random_net(2))
    return path


@pytest.fixture
def speech(tmp_path: Path) -> Callable[..., Path]:
    """Write the bundled voices as a table of training speech, each changed by a function."""

    def write(change: Callable[[np.ndarray], np.ndarray]) -> Path:
        rows = ["path,speaker,corpus,split"]
        for voice in voices():
            pcm, rate = soundfile.read(voice, dtype="int16")
            soundfile.write(tmp_path / f"{voice.stem}.wav", change(pcm), rate)
            rows.append(f"{voice.stem}.wav,{voice.stem.split('_')[0]},voices,train")
        path = tmp_path / "index.csv"
        path.write_text("\n".join(rows) + "\n")
        return path

    return write


@pytest.mark.parametrize("target", ["tflite-micro", "tflite"])
def test_json_says_what_was_built(tiny_net: Path, work: Path, tmp_path: Path, target: str) -> None:
    done = edge_sv("build", tiny_net, "--target", target, "--out", tmp_path / "p", "--work", work, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1 and told["bit_exact"] is True and told["cosine_to_float"] > 0.99
    assert told["package"] == str(tmp_path / "p") and (tmp_path / "p" / "manifest.json").is_file()
    assert told["flash_bytes"] >= told["model_bytes"] > 5_000
    assert (told["arena_bytes"] is not None) == (target == "tflite-micro")
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["compress", "convert", "check", "package"]


def test_people_are_told_too(tiny_net: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv("build", tiny_net, "--out", tmp_path / "p", "--work", work)
    assert done.returncode == 0, done.stderr
    assert "arena" in done.stdout and "cosine to float" in done.stdout
    again = edge_sv("build", tiny_net, "--out", tmp_path / "p", "--work", work)
    assert again.stdout == done.stdout and again.stderr.count("unchanged") == 4


def test_dry_run_writes_nothing(tiny_net: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv("build", tiny_net, "--out", tmp_path / "p", "--work", work, "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert told["dry_run"] is True and told["fits"] is True and told["arena_bytes"] > 1_000
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_too_large_is_exit_4(tiny_net: Path, work: Path, tmp_path: Path, dry: list[str]) -> None:
    done = edge_sv("build", tiny_net, "--out", tmp_path / "p", "--work", work, "--max-ram", "1KB", *dry)
    assert done.returncode == 4
    assert "bytes of RAM too many" in done.stderr and "most activations" in done.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--target", "tflite-micr"], 2, "did you mean 'tflite-micro'"),
        (["--recipe", "static_wi8"], 2, "did you mean 'static_wi8_ai8'"),
        (["--max-flash", "much"], 2, "is not a size"),
        (["--data", "absent.csv"], 3, "absent.csv"),
        (["--out", "/proc/nowhere/package"], 3, "/proc/nowhere"),
    ],
)
def test_mistakes_have_words_and_codes(tiny_net: Path, work: Path, arguments: list[str], code: int, told: str) -> None:
    done = edge_sv("build", tiny_net, "--work", work, *arguments)
    assert done.returncode == code, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr and done.stdout == ""


def test_an_unwritable_work_folder_is_told(tiny_net: Path) -> None:
    done = edge_sv("build", tiny_net, "--work", "/proc/nowhere")
    assert done.returncode == 3 and "cannot write /proc/nowhere" in done.stderr


def test_unknown_model_is_a_usage_error(work: Path) -> None:
    done = edge_sv("build", "resnet-nanoo", "--work", work)
    assert done.returncode == 2 and "unknown model 'resnet-nanoo'" in done.stderr


@pytest.mark.parametrize(
    ("text", "size"), [("256KB", 262144), ("1mb", 1048576), ("1.5 KB", 1536), ("300", 300), ("2K", 2048), ("7B", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text, "--max-ram") == size


@pytest.mark.parametrize("text", ["", "KB", "-1KB", "1GB", "1 2"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="--max-ram"):
        parse_size(text, "--max-ram")


def test_a_speaker_net_becomes_c(tiny_net: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv("build", tiny_net, "--target", "cortex-m", "--out", tmp_path / "p", "--work", work, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bit_exact"] is True and told["cosine_to_float"] > 0.99
    needed = {plan["name"]: plan["ram_bytes"] for plan in told["plans"]}
    assert told["plan"] == "streaming" and needed["streaming"] == told["arena_bytes"] < needed["static"]
    assert told["ram_bytes"] > told["arena_bytes"] and told["flash_bytes"] > told["model_bytes"]
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert manifest["generated"]["plan"] == "streaming" and (tmp_path / "p" / "src" / "esv_model.c").is_file()


def test_a_compressed_net_builds_without_data_and_takes_half_of_the_flash(work: Path, tmp_path: Path) -> None:
    sizes = {}
    for recipe in ("static_wi8_ai8", "palette_w4_ai8"):
        arguments = ["--target", "cortex-m", "--recipe", recipe, "--out", tmp_path / recipe, "--work", work, "--json"]
        done = edge_sv("build", "resnet-nano", *arguments)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["bit_exact"] is True and told["recipe"] == recipe
        sizes[recipe] = told["model_bytes"]
    assert sizes["palette_w4_ai8"] < 0.55 * sizes["static_wi8_ai8"]


def test_any_tflite_becomes_c(tflite: Path, work: Path, tmp_path: Path) -> None:
    options = ["--target", "cortex-m", "--prefix", "keyword", "--out", tmp_path / "p", "--work", work]
    done = edge_sv("build", tflite, *options)
    assert done.returncode == 0, done.stderr
    assert "C = TensorFlow Lite Micro at 3 vectors" in done.stdout and "static plan" in done.stdout
    assert (tmp_path / "p" / "include" / "keyword.h").is_file()
    refused = edge_sv("evaluate", tmp_path / "p", "--trials", tmp_path / "none", "--audio", tmp_path)
    assert refused.returncode in (2, 3)


def test_a_dry_run_measures_any_tflite(tflite: Path, work: Path, tmp_path: Path) -> None:
    done = edge_sv(
        "build", tflite, "--target", "cortex-m", "--out", tmp_path / "p", "--work", work, "--dry-run", "--json"
    )
    told = json.loads(done.stdout)
    assert told["measured"] is True and told["fits"] is True and told["ram_bytes"] > 0
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--target", "tflite"], 2, "has no front end"),
        (["--target", "cortex-m", "--plan", "stream"], 2, "did you mean 'streaming'"),
        (["--target", "cortex-m", "--plan", "streaming"], 2, "no streaming plan"),
        (["--target", "cortex-m", "--prefix", "9x"], 2, "cannot begin"),
        (["--target", "cortex-m", "--max-ram", "16"], 4, "bytes of RAM too many"),
    ],
)
def test_what_cannot_be_is_said(
    tflite: Path,
    work: Path,
    tmp_path: Path,
    options: list[str],
    code: int,
    words: str,
) -> None:
    done = edge_sv("build", tflite, *options, "--out", tmp_path / "p", "--work", work)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "p").exists()


def test_an_operator_without_a_kernel_is_named(tflite: Path, work: Path, tmp_path: Path) -> None:
    tree = parse_model(tflite.read_bytes())
    tree.operatorCodes[0].builtinCode, tree.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUMSUM, 127
    tflite.write_bytes(pack_model(tree))
    done = edge_sv("build", tflite, "--target", "cortex-m", "--out", tmp_path / "p", "--work", work)
    assert done.returncode == 3 and "CUMSUM" in done.stderr


def test_a_file_that_is_no_model_is_refused(work: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"not a model at all")
    done = edge_sv("build", tmp_path / "x.tflite", "--target", "cortex-m", "--out", tmp_path / "p", "--work", work)
    assert done.returncode == 3 and "TFL3" in done.stderr


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([f'match = "stage9_*"{EIGHT}', KMEANS], ["rule 1 matches no layer", "stage9_*", "stem_conv"]),
        ([f'match = "stem*"{EIGHT}', KMEANS], ["rule 1 decides nothing", "stem_conv", "put the wider one first"]),
    ],
)
def test_recipes_that_do_not_fit_the_net(
    run: Run, recipe: Callable[..., Path], tiny_float_net: Path, tmp_path: Path, rules: list[str], told: list
) -> None:
    result = run(
        "build", tiny_float_net, "--recipe", recipe(*rules), "--work", tmp_path / "work", "--out", tmp_path / "p"
    )
    assert result.code == 2 and not (tmp_path / "p").exists()
    assert [text for text in told if text not in result.err] == []


def test_a_layer_that_stays_8_bits_is_named(run: Run, recipe: Callable[..., Path], tmp_path: Path) -> None:
    config = DfResNetConfig((2, 2), (8,), (1,), 2, pooling="deviation", embedding_dim=8)
    description = NetDescription("tiny", "df_resnet", config, FEATURES, SEGMENTS)
    save_net(tmp_path / "net", description, build_net(description))
    result = run("build", tmp_path / "net", "--recipe", recipe(KMEANS.replace("*", "*_depthwise")), "--work", tmp_path)
    assert result.code == 2
    assert "stage1_block1_depthwise" in result.err and "depthwise" in result.err and "8 bits" in result.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (np.zeros_like, "silent"),
        (lambda pcm: pcm[:1000], "no recording"),
    ],
    ids=["silent", "short"],
)
@pytest.mark.parametrize("name", ["static_wi8_ai8", "palette_w4_ai8"])
def test_speech_that_is_none(
    run: Run,
    speech: Callable[..., Path],
    tiny_float_net: Path,
    tmp_path: Path,
    change: Callable[[np.ndarray], np.ndarray],
    told: str,
    name: str,
) -> None:
    result = run("build", tiny_float_net, "--recipe", name, "--data", speech(change), "--work", tmp_path / "work")
    assert result.code == 3
    assert told in result.err


@pytest.mark.parametrize("bits", [5, 7])
def test_bits_that_the_target_cannot_hold(
    run: Run, recipe: Callable[..., Path], tiny_float_net: Path, tmp_path: Path, bits: int
) -> None:
    mine = recipe(KMEANS.replace("4", str(bits)))
    result = run("build", tiny_float_net, "--recipe", mine, "--target", "cortex-m", "--work", tmp_path / "work")
    assert result.code == 2
    for text in (f"{bits}-bit weights", "'cortex-m' holds 1, 2, 3, 4, 8", "rule", "weights = 4", "tflite-micro"):
        assert text in result.err


def test_fine_tuning_without_speech(run: Run, tiny_float_net: Path, tmp_path: Path) -> None:
    result = run("build", tiny_float_net, "--recipe", "palette_w4_ai8", "--work", tmp_path / "work")
    assert result.code == 3 and "--data" in result.err


class TestBudget:
    def test_below_the_floor(self, run: Run, tiny_float_net: Path, tmp_path: Path) -> None:
        command = ["build", tiny_float_net, "--recipe", "mixed_w248_ai8", "--work", tmp_path / "work", "--dry-run"]
        result = run(*command, "--budget", "500")
        assert result.code in (2, 4)
        assert "500" in result.err and "bytes" in result.err

    def test_of_a_recipe_that_chooses_nothing(self, run: Run, tiny_float_net: Path, tmp_path: Path) -> None:
        result = run(
            "build", tiny_float_net, "--recipe", "palette_w4_ai8", "--budget", "3KB", "--work", tmp_path / "work"
        )
        assert result.code == 2 and "has no budget" in result.err and "mixed_w248_ai8" in result.err

    def test_that_is_no_size(self, run: Run, tiny_float_net: Path) -> None:
        result = run("build", tiny_float_net, "--recipe", "mixed_w248_ai8", "--budget", "little")
        assert result.code == 2 and "--budget little is not a size" in result.err
