"""Models with the weights of which the authors' own code gave every stage: LSNet-T, one padded picture.

The goldens come from a re-statement of the authors' inference that equals their modules inside mmdetection
2.28.2 and mmsegmentation 0.30.0 exactly. A weight's values follow from the authors' name of it.
"""

import json
import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from lsbench.detection.settings import MaskRCNNSettings, RetinaNetSettings, SemanticFPNSettings
from lsbench.models import create_downstream
from lsbench.models.blocks import offset_indices

DATA = Path(__file__).parent / "data"
AUTHORS = json.loads((DATA / "authors.json").read_text())
#: Sizes for a small model on small images.
SMALL = {
    "retinanet": RetinaNetSettings(channels=16, convs=1, extra_levels=0, anchor_scale=3, norm_eval=False),
    "maskrcnn": MaskRCNNSettings(
        channels=16, box_channels=32, mask_convs=1, sampled_proposals=16, proposals=50
    ),
    "semantic_fpn": SemanticFPNSettings(channels=16, head_channels=16),
}
NANO = {"stem_stride": 8, "img_size": 64, "embed_dims": (8, 8, 8, 8), "depths": (1, 1, 1, 2), "num_heads": 2}


def keyed_tensor(key, shape):
    """Return the weight that belongs to a name: the same for every implementation with these names."""
    wave = 2 * np.random.default_rng(zlib.crc32(key.encode())).random(math.prod(shape)) - 1
    leaf = key.split(".")[-1]
    if leaf in ("bias", "running_mean"):
        values = wave / 10
    elif leaf == "running_var":
        values = 1 + wave / 4
    elif leaf == "attention_biases":
        values = wave / 2
    elif len(shape) == 1:
        values = 0.5 + wave / 20
    else:
        values = wave * math.sqrt(3 / math.prod(shape[1:]))
    return torch.tensor(values.reshape(shape), dtype=torch.float32)


@cache
def goldens():
    with np.load(DATA / "golden.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def authors_state(task, shapes=None):
    """Return weights for a task under the authors' names, those of LSNet-T or of other shapes."""
    facts, arrays = AUTHORS["tasks"][task], goldens()
    state = {}
    for key, shape in (shapes or {**AUTHORS["backbone"], **facts["state_dict"]}).items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
        elif key.endswith("attention_bias_idxs"):
            state[key] = offset_indices((14, 14))
        else:
            override = arrays.get(f"{facts['golden']}/override/{key}")
            scaled = keyed_tensor(key, shape) * facts["scale"].get(key, 1)
            state[key] = scaled if override is None else torch.from_numpy(override).float()
    return state


@pytest.fixture(scope="session")
def authors_model(tmp_path_factory):
    """Return a function: the model of a task with the weights of the goldens, read from a file of theirs."""
    folder = tmp_path_factory.mktemp("authors")

    @cache
    def load(task):
        path = folder / f"{task}.pth"
        meta = {"mmdet_version": "2.28.2", "epoch": 12, "CLASSES": ("person", "bicycle")}
        torch.save({"meta": meta, "state_dict": authors_state(task)}, path)
        classes = 150 if task == "semantic_fpn" else 80
        model = create_downstream(task, "lsnet_t", num_classes=classes, checkpoint=path).eval()
        path.unlink()
        return model

    return load


@pytest.fixture(scope="session")
def authors_case():
    """Return a function: the goldens of a task, and the padded picture with its sizes."""
    picture = AUTHORS["picture"]
    shape, pad = picture["shape"], picture["pad"]
    c, y, x = np.meshgrid(np.arange(3), np.arange(pad[0]), np.arange(pad[1]), indexing="ij")
    image = np.sin(0.11 * x + 0.7 * c) + np.cos(0.07 * y * (1 + 0.2 * c)) + 0.5 * np.sin(0.013 * x * y)
    image[:, shape[0] :] = 0
    image[:, :, shape[1] :] = 0
    given = (torch.tensor(image[None], dtype=torch.float32), [tuple(shape)], [tuple(picture["ori"])])

    def case(task):
        start = f"{AUTHORS['tasks'][task]['golden']}/"
        own = {
            name.removeprefix(start): torch.from_numpy(a)
            for name, a in goldens().items()
            if name.startswith(start)
        }
        return own, given

    return case


@pytest.fixture(scope="session")
def check_features():
    """Return a function that compares backbone and neck with the goldens and returns the pyramid."""

    @torch.no_grad()
    def check(model, images, golden):
        for index, found in enumerate(model.backbone(images)):
            expected = golden[f"backbone{index}/mean_abs"]
            torch.testing.assert_close(found[0].abs().mean((1, 2)), expected, rtol=0, atol=1e-5)
        maps = model.pyramid(images)
        for index, found in enumerate(maps):
            expected = golden[f"neck{index}/mean_abs"]
            torch.testing.assert_close(found[0].abs().mean((1, 2)), expected, rtol=0, atol=1e-4)
            expected = golden[f"neck{index}/channels_0_85_170_255"]
            torch.testing.assert_close(found[0, [0, 85, 170, 255]], expected, rtol=0, atol=1e-4)
        return maps

    return check


@pytest.fixture(scope="session")
def pair_up():
    """Return a function: for each expected detection, the number of the one that was found for it."""

    def pair(found, expected):
        assert len(found["boxes"]) == len(expected["det/boxes"])
        taken, order = set(), []
        for box, score, label in zip(
            expected["det/boxes"], expected["det/scores"], expected["det/labels"], strict=True
        ):
            far = (found["boxes"] - box).abs().amax(1) + 10 * (found["scores"] - score).abs()
            far[found["labels"] != label] = torch.inf
            far[list(taken)] = torch.inf
            best = int(far.argmin())
            assert (found["boxes"][best] - box).abs().max() < 0.01
            assert (found["scores"][best] - score).abs() < 1e-4
            taken.add(best)
            order.append(best)
        return order

    return pair


@pytest.fixture
def small_model():
    """Return a function: a small model of a task with random weights, the same each time."""

    def create(task, num_classes=3, **options):
        torch.manual_seed(0)
        arguments = {**NANO, "settings": SMALL[task], **options}
        return create_downstream(task, "lsnet_nano", num_classes=num_classes, **arguments)

    return create


@pytest.fixture
def scene():
    """Two padded images of 64 x 96 pixels, one without any object, and their targets."""
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    masks = torch.zeros(2, 60, 80, dtype=torch.bool)
    masks[0, 10:30, 8:40] = True
    masks[1, 30:58, 30:70] = True
    full = {
        "boxes": torch.tensor([[8.0, 10, 40, 30], [30, 30, 70, 58]]),
        "labels": torch.tensor([0, 2]),
        "masks": masks,
        "image_size": (60, 80),
        "label_map": torch.randint(0, 3, (64, 96), generator=torch.Generator().manual_seed(2)),
    }
    empty = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 96, dtype=torch.bool),
        "label_map": torch.full((64, 96), 255),
    }
    return images, [full, empty]


@pytest.fixture(scope="session")
def authors_rois():
    """The sixteen regions whose features and predictions the goldens hold."""
    return torch.from_numpy(goldens()["rois"])
