"""Append-only results on disk, safe against crashes."""
