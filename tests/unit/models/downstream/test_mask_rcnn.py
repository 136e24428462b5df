import numpy as np
import pytest
import torch

from lsbench.models.downstream.boxes import pool_regions, region_levels
from lsbench.models.macs import count_macs, count_paper_macs

from .conftest import SMALL

TASK = "maskrcnn"


@torch.no_grad()
def test_every_stage_is_that_of_the_authors(authors_model, authors_case, check_features):
    model = authors_model(TASK)
    golden, (images, sizes, _) = authors_case(TASK)
    maps = check_features(model, images, golden)
    for index, (objectness, deltas) in enumerate(zip(*model.rpn.head(maps), strict=True)):
        torch.testing.assert_close(objectness[0], golden[f"rpn{index}/objectness"], rtol=0, atol=1e-4)
        expected = golden[f"rpn{index}/deltas"]
        tolerance = 1e-3 if expected.dtype == torch.float16 else 1e-4
        torch.testing.assert_close(deltas[0], expected.float(), rtol=0, atol=tolerance)
    (proposals,), _ = model.rpn(maps, sizes)
    expected = golden["proposals/boxes"]
    assert len(proposals) == len(expected) == 1000
    assert torch.cdist(expected, proposals, p=torch.inf).min(dim=1).values.max() < 0.01


@torch.no_grad()
def test_regions_have_the_features_boxes_and_masks_of_the_authors(authors_model, authors_case, authors_rois):
    model = authors_model(TASK)
    golden, (images, *_) = authors_case(TASK)
    maps, heads = model.pyramid(images), model.roi_heads
    assert torch.equal(region_levels(authors_rois, 4), golden["roi/levels"].long())
    pooled = pool_regions(maps[:4], heads.strides, [authors_rois], 7)
    torch.testing.assert_close(pooled[:, [0, 128]], golden["roi/pooled7_channels_0_128"], rtol=0, atol=1e-4)
    logits, deltas = heads.predict_boxes(maps, [authors_rois])
    torch.testing.assert_close(logits, golden["roi/cls_logits"], rtol=0, atol=1e-4)
    torch.testing.assert_close(deltas, golden["roi/box_deltas"].flatten(1), rtol=0, atol=1e-4)
    labels = logits[:, :80].argmax(1)
    assert torch.equal(labels, golden["roi/labels"].long())
    masks = heads.predict_masks(maps, [authors_rois])[torch.arange(len(labels)), labels]
    torch.testing.assert_close(masks, golden["roi/mask_logits_of_label"].float(), rtol=0, atol=5e-3)


def test_detections_and_masks_are_those_of_the_authors(authors_model, authors_case, pair_up):
    golden, given = authors_case(TASK)
    (found,) = authors_model(TASK).predict(*given)
    order = pair_up(found, golden)
    height, width = given[2][0]
    packed = golden["det/masks_packed"].numpy()
    expected = torch.from_numpy(np.unpackbits(packed, axis=1)[:, : height * width]).bool()
    assert found["masks"].shape == (100, height, width)
    assert found["masks"].dtype == torch.bool
    assert int((found["masks"][order].flatten(1) != expected).sum()) <= 5
    assert found["labels"].min() >= 0
    assert bool((found["scores"].diff() <= 0).all())


def test_an_image_beside_another_one_is_found_as_alone(authors_model, authors_case):
    _, (images, sizes, originals) = authors_case(TASK)
    model = authors_model(TASK)
    (alone,) = model.predict(images, sizes, originals)
    first, second = model.predict(
        torch.cat([images, images.flip(3)]), torch.tensor([*sizes, (160, 224)]), [*originals, (320, 448)]
    )
    torch.testing.assert_close(first["boxes"], alone["boxes"], rtol=0, atol=0.01)
    assert second["masks"].shape[1:] == (320, 448)
    assert second["boxes"][:, 0::2].max() <= 448


@pytest.mark.parametrize("stem_stride", [4, 8])
def test_losses_train_every_weight(small_model, scene, stem_stride):
    model = small_model(TASK, stem_stride=stem_stride).train()
    assert model.strides == (4, 8, 16, 32, 64)
    losses = model(*scene)
    assert set(losses) == {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "loss_mask"}
    sum(losses.values()).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    missing = [name for name, grad in grads.items() if grad is None]
    assert missing == []
    assert all(grad.isfinite().all() for grad in grads.values())


def test_images_without_any_object_have_finite_losses(small_model, scene):
    images, (_, empty) = scene
    losses = small_model(TASK).train()(images, [empty, empty])
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["loss_rpn_bbox"] == losses["loss_bbox"] == losses["loss_mask"] == 0
    sum(losses.values()).backward()


def test_nothing_found_has_the_usual_shapes(small_model):
    model = small_model(TASK)
    torch.nn.init.constant_(model.roi_heads.box_predictor.cls_score.bias[-1:], 50)
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [(64, 50)], [(32, 25)])
    assert found["boxes"].shape == (0, 4)
    assert found["masks"].shape == (0, 32, 25)
    assert found["scores"].shape == found["labels"].shape == (0,)


def test_costs_are_those_of_as_many_regions_as_there_may_be(small_model):
    """The MACs of the heads, by hand; the pooling of regions has no formula, and is told."""
    model = small_model(TASK, settings=SMALL[TASK].model_copy(update={"detections": 7}))
    count = count_macs(model, (3, 64, 96))
    assert count.by_module["roi_heads.box_head"] == 50 * (16 * 49 * 32 + 32 * 32)
    assert count.by_module["roi_heads.box_predictor"] == 50 * 32 * (4 + 12)
    assert count.by_module["roi_heads.mask_head"] == 7 * 14 * 14 * 9 * 16 * 16
    cells = sum((64 // stride) * (96 // stride) for stride in (4, 8, 16, 32)) + 1 * 2
    assert count.by_module["rpn.head"] == cells * (9 * 16 * 16 + 16 * 15)
    assert "roi_align" in count.uncounted
    assert count.total > count_paper_macs(model, (3, 64, 96)).total


def test_outputs_are_those_of_every_image_of_a_batch(small_model):
    outputs = small_model(TASK).eval()(torch.zeros(2, 3, 64, 64))
    logits, deltas, masks = outputs[-3:]
    assert (logits.shape, deltas.shape, masks.shape) == ((100, 4), (100, 12), (200, 3, 28, 28))
