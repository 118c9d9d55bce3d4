"""Write every bundled model again as this version keeps artifacts; the models themselves stay bit for bit.

python scripts/pack_assets.py
"""

from __future__ import annotations

from edge_sv.artifacts.artifact import artifact_files, load_artifact, save_artifact
from edge_sv.artifacts.locate import asset_names, locate

if __name__ == "__main__":
    for name in asset_names():
        for path in locate(name).artifacts():
            artifact = load_artifact(path)
            save_artifact(path, artifact)
            if artifact_files(load_artifact(path)) != artifact_files(artifact):
                raise SystemExit(f"{path} is another artifact now")
            print(path.relative_to(path.parents[2]), sum(file.stat().st_size for file in path.iterdir()), "bytes")
