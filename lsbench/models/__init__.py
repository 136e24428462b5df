"""Models: the LSNet family, its token mixers, and every model of timm."""
