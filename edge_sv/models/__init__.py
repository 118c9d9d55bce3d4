"""Speaker nets in Keras 2 (tf_keras), in forms that run bit for bit in TensorFlow Lite Micro's int8."""

import os

# tensorflow_model_optimization needs Keras 2; the switch must be set before TensorFlow is imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
