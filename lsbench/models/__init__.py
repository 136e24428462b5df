"""Models: the LSNet family, its token mixers, all models of timm, and detectors and segmenters on them.

Importing it registers lsbench's families with timm, so that ``timm.create_model`` knows them too.
"""

from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import PLUGGABLE_MODELS, create_model

__all__ = ["PLUGGABLE_MODELS", "create_downstream", "create_model"]
