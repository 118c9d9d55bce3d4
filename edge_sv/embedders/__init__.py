"""Everything that turns PCM into an embedding: Keras, LiteRT, tflite-runtime, TensorFlow Lite Micro."""

from edge_sv.embedders.base import Embedder, IntegerEmbedder
from edge_sv.embedders.keras import KerasEmbedder
from edge_sv.embedders.litert import LiteRTEmbedder, TfliteRuntimeEmbedder
from edge_sv.embedders.open import RUNTIMES, artifact_embedder, open_artifact, open_embedder
from edge_sv.embedders.tflm import TflmEmbedder
from edge_sv.tflite.quantization import TensorFormat

__all__ = [
    "RUNTIMES",
    "Embedder",
    "IntegerEmbedder",
    "KerasEmbedder",
    "LiteRTEmbedder",
    "TensorFormat",
    "TfliteRuntimeEmbedder",
    "TflmEmbedder",
    "artifact_embedder",
    "open_artifact",
    "open_embedder",
]
