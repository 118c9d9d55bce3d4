"""Run ``python -m edge_sv``."""

from edge_sv.cli.entry import main

main()
