"""Interpreters and compiled code that run a converted model on this computer."""
