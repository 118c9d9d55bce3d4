"""Nets by name: shapes to start from, without weights."""

from __future__ import annotations

import tf_keras

from edge_sv.errors import unknown_name
from edge_sv.frontend.features import FeatureConfig
from edge_sv.frontend.segments import SegmentRule
from edge_sv.models.checkpoint import NetDescription, build_net
from edge_sv.models.df_resnet import DfResNetConfig
from edge_sv.models.ecapa_tdnn import EcapaConfig
from edge_sv.models.family import NetConfig
from edge_sv.models.redimnet import ReDimNetConfig
from edge_sv.models.resnet import ResNetConfig
from edge_sv.models.xvector import XVectorConfig


def _device_resnet(channels: tuple[int, ...]) -> ResNetConfig:
    """One block a stage and a stem that halves both axes; widths under 16 train slower although they compute less."""
    return ResNetConfig(
        stem_stride=(2, 2), stage_channels=channels, stage_blocks=(1,) * len(channels), pooling="deviation"
    )


def _published_resnet(blocks: tuple[int, ...]) -> ResNetConfig:
    """The widths, pooling and embedding of the ResNets that VoxCeleb results are reported with."""
    return ResNetConfig(
        stem_channels=32,
        stage_channels=(32, 64, 128, 256),
        stage_blocks=blocks,
        pooling="statistics",
        embedding_dim=256,
    )


_SMALL_DF_RESNET = DfResNetConfig(
    stem_stride=(2, 2),
    stage_channels=(16, 24, 48, 96),
    stage_blocks=(2, 2, 4, 2),
    expansion=2,
    relu_limit=6.0,
    pooling="deviation",
    embedding_dim=64,
)

# Parameters are with 80 mel bands.
PRESETS: dict[str, tuple[str, NetConfig]] = {
    "resnet-80k": ("resnet", _device_resnet((16, 16, 24, 48))),
    "resnet-130k": ("resnet", _device_resnet((16, 24, 32, 64))),
    "resnet-280k": ("resnet", _device_resnet((16, 32, 64, 96))),
    "resnet18": ("resnet", _published_resnet((2, 2, 2, 2))),
    "resnet34": ("resnet", _published_resnet((3, 4, 6, 3))),
    "ecapa-128": (
        "ecapa_tdnn",
        EcapaConfig(
            channels=128, squeeze_channels=32, aggregation_channels=384, attention_channels=64, embedding_dim=96
        ),
    ),
    "ecapa-512": ("ecapa_tdnn", EcapaConfig()),
    "df-resnet-small": ("df_resnet", _SMALL_DF_RESNET),
    "df-resnet56": ("df_resnet", DfResNetConfig()),
    "xvector-small": (
        "xvector",
        XVectorConfig(channels=96, stem_stride=2, pooled_channels=256, pooling="deviation", embedding_dim=96),
    ),
    "xvector": ("xvector", XVectorConfig()),
    "redimnet-b0": ("redimnet", ReDimNetConfig()),
}


def describe_preset(name: str) -> NetDescription:
    """Describe a preset with the default front end and segments.

    Raises:
        UsageError: there is no such preset.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    family, config = PRESETS[name]
    return NetDescription(name=name, family=family, config=config, features=FeatureConfig(), segments=SegmentRule())


def build_preset(name: str) -> tf_keras.Model:
    """Build a preset with fresh weights: (batch, 200, 80, 1) -> (batch, embedding_dim).

    Raises:
        UsageError: there is no such preset.
    """
    return build_net(describe_preset(name))
