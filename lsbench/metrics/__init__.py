"""Metrics measure quality: one file each."""
