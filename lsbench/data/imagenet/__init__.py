"""ImageNet-1K as it lies on disk, and the test sets that others made for it."""
