"""Model families: one file each, which registers its variants with timm and names them in ``MODELS``."""
