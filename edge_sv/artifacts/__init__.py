"""Converted models and what comes with them on disk."""
