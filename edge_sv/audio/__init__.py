"""Recordings: read, checked, recorded, and degraded by noise and rooms."""
