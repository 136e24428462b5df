"""Model families: one file each, which registers its variants with timm and lists them in ``MODELS``."""
