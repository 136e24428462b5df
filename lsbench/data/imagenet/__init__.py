"""ImageNet-1K on disk, and the test sets made for its classes."""
