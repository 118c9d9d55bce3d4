"""Trials, scores, thresholds and error rates."""
