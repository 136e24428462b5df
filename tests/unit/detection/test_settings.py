import subprocess
import sys

import pytest
from pydantic import ValidationError

from lsbench.detection.settings import (
    PADDED_SIZES,
    SETTINGS,
    MaskRCNNSettings,
    RetinaNetSettings,
    SemanticFPNSettings,
)


def test_published_sizes_are_the_defaults():
    assert RetinaNetSettings().model_dump() == {
        "channels": 256,
        "norm_eval": True,
        "convs": 4,
        "extra_levels": None,
        "anchor_scale": 4.0,
        "candidates": 1000,
        "detections": 100,
        "score_threshold": 0.05,
    }
    published = MaskRCNNSettings()
    assert (published.candidates, published.candidates_in_training) == (1000, 2000)
    assert (published.proposals, published.proposals_in_training) == (1000, 1000)
    assert (published.sampled_anchors, published.sampled_proposals) == (256, 512)
    assert SemanticFPNSettings().dropout == 0.1
    assert list(SETTINGS) == list(PADDED_SIZES) == ["retinanet", "maskrcnn", "semantic_fpn"]


@pytest.mark.parametrize(
    ("name", "value"), [("channels", 0), ("convs", -1), ("score_threshold", 1.5), ("width", 1)]
)
def test_impossible_sizes_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        RetinaNetSettings(**{name: value})


def test_settings_are_read_without_torch():
    code = (
        "import sys, lsbench.detection.settings; print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
