"""Which kernel computes an operator: one file per family, found from the table in `table.py`."""
