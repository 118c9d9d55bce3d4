"""edge_sv: speaker verification nets, from a Keras model to a microcontroller that decides like the desktop."""

__version__ = "0.1.0"
