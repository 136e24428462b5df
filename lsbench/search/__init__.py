"""Searches over settings on Ray Tune."""
