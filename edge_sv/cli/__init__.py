"""The command line: parses and prints, decides nothing. One file per command; ``app.py`` joins them."""
