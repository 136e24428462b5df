"""The gate: compare results with a baseline, and alarm only if something truly got worse."""
