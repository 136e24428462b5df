"""Models: the LSNet family, its token mixers, and all models of timm.

Importing it registers lsbench's families with timm, so that ``timm.create_model`` knows them too.
"""

from lsbench.models.factory import PLUGGABLE_MODELS, create_model

__all__ = ["PLUGGABLE_MODELS", "create_model"]
