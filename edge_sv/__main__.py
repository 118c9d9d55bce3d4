"""Run ``python -m edge_sv``."""

from edge_sv.cli.app import main

main()
