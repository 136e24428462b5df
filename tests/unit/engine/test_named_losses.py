import pytest
import torch
from torch import nn

from lsbench.engine.named_losses import NamedLosses

PLACE = {"device": "cpu", "memory_format": torch.channels_last, "seed": 3}


class Detector(nn.Module):
    """Returns the losses of boxes and of randomly chosen pixels by name."""

    def forward(self, images, targets):
        boxes = torch.stack([target["boxes"].sum() for target in targets]).sum()
        return {"loss_bbox": boxes, "loss_cls": torch.rand(()).half()}


def batch():
    targets = [{"boxes": torch.ones(2, 4), "image_size": (8, 6)}, {"boxes": torch.zeros(0, 4)}]
    return torch.zeros(2, 3, 8, 8), targets


def test_a_batch_is_moved_with_all_its_targets_and_counted():
    task = NamedLosses()
    images, targets, seed = task.prepare(batch(), **PLACE)
    assert task.count(batch()) == 2
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert targets[0]["image_size"] == (8, 6)
    assert targets[1]["boxes"].shape == (0, 4)
    assert seed == 3


def test_label_maps_are_targets_too():
    maps = torch.arange(8).view(2, 2, 2)
    _, targets, _ = NamedLosses().prepare((torch.zeros(2, 3, 2, 2), maps), **PLACE)
    assert torch.equal(targets, maps)


def test_the_loss_is_the_sum_of_all_and_what_is_drawn_depends_on_the_chunk_alone():
    task, found = NamedLosses(), []
    for before in (0, 1):
        torch.manual_seed(before)
        found.append(float(task.loss(Detector(), task.prepare(batch(), **PLACE))))
    torch.manual_seed(3)
    assert found == [pytest.approx(8 + float(torch.rand(()).half()))] * 2
    other = task.prepare(batch(), **{**PLACE, "seed": 4})
    assert float(task.loss(Detector(), other)) != found[0]
