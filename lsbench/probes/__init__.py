"""Probes measure cost: one file each."""
