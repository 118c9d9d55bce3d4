"""Converters of edge_sv: from a Keras net to a file or to sources that a device runs."""
