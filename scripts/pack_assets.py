"""Keep every bundled net and model as this version packs them; what they unpack to stays bit for bit.

    python scripts/pack_assets.py

Run it after a net, a compressed net or a converted model was copied into assets/.
"""

from __future__ import annotations

from pathlib import Path

from edge_sv.artifacts.artifact import artifact_files, load_artifact, save_artifact
from edge_sv.artifacts.locate import asset_names, locate
from edge_sv.artifacts.net import NET_FILE, net_sha256
from edge_sv.system.bundled import assets_dir
from edge_sv.system.files import write_atomic
from edge_sv.system.packed import PACKED_SUFFIX, pack


def main() -> None:
    """Pack all."""
    for name in asset_names():
        for path in locate(name).artifacts():
            repack_artifact(path)
    for path in sorted(assets_dir().glob(f"**/{NET_FILE}")):
        pack_net(path.parent)
    print(f"{assets_dir()}: {size(assets_dir()):,} bytes")


def repack_artifact(folder: Path) -> None:
    """Write a converted model's folder again."""
    artifact = load_artifact(folder)
    save_artifact(folder, artifact)
    if artifact_files(load_artifact(folder)) != artifact_files(artifact):
        raise SystemExit(f"{folder} is another artifact now")


def pack_net(folder: Path) -> None:
    """Pack the arrays of a float net's folder."""
    identity = net_sha256(folder)
    for path in sorted(folder.glob("*.npz")):
        packed = path.with_name(path.name + PACKED_SUFFIX)
        data = pack(path.read_bytes())
        if len(data) < path.stat().st_size:
            write_atomic(packed, data)
            path.unlink()
    if net_sha256(folder) != identity:
        raise SystemExit(f"{folder} is another net now")


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
