"""Embedding many recordings and scoring trial lists."""
