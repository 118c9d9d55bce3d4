"""A small corpus of the bundled synthetic voices cut into pieces: a table of speech files and a development list."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

from edge_sv.audio.recording import read_recording
from tests.nets import voices


def make_voice_corpus(folder: Path) -> Path:
    """Write the corpus; return its index.csv. Two pieces of each recording are for training, the third for dev."""
    (folder / "synth").mkdir()
    rows, by_speaker = [], {}
    for path in voices():
        pcm, speaker = read_recording(path), path.stem.split("_")[0]
        for number, piece in enumerate(np.array_split(pcm, 3)):
            split = "dev" if number == 2 else "train"
            name = f"synth/{path.stem}_{number}.flac"
            soundfile.write(folder / name, piece, 16000)
            rows.append({"path": name, "speaker": speaker, "corpus": "synth", "split": split, "language": "en"})
            if split == "dev":
                by_speaker.setdefault(speaker, []).append(Path(name).name)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    files = [(speaker, name) for speaker, names in by_speaker.items() for name in names]
    lines = [f"{int(s == t)} {a} {b}" for i, (s, a) in enumerate(files) for t, b in files[i + 1 :]]
    (folder / "synth" / "trials_dev.txt").write_text("\n".join(lines))
    return folder / "index.csv"
