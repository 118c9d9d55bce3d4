"""The version of this package: what `--version`, packages and reports state."""

__version__ = "0.1.0"
