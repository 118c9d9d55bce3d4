"""Compression methods, one file each: a model in, a model out."""
