"""The families of nets by name, as `net.json` and training configurations write it."""

from __future__ import annotations

from edge_sv.models import df_resnet, ecapa_tdnn, redimnet, resnet, xvector
from edge_sv.models.family import Family

FAMILIES: dict[str, Family] = {
    "resnet": resnet.FAMILY,
    "df_resnet": df_resnet.FAMILY,
    "ecapa_tdnn": ecapa_tdnn.FAMILY,
    "xvector": xvector.FAMILY,
    "redimnet": redimnet.FAMILY,
}
