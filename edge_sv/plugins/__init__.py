"""What plug-ins add, found by entry point: converters, generators of source code, writers of lookup tables."""
