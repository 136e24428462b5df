import pytest

from lsbench.core.registry import JOBS
from lsbench.engine.rates import LinearRise, Poly, Steps

DETECT, SEGMENT = (JOBS.load(kind).spec for kind in ("detect", "segment"))


def recipe_of(spec, name, **more):
    return spec.model_validate({**spec.named_settings({"recipe": name}), **more})


@pytest.mark.parametrize("detector", ["retinanet", "maskrcnn"])
def test_detectors_are_trained_as_by_the_authors_code(detector):
    """Supplement A.1, but for the rate: its code and logs have 1e-4, not 2e-4."""
    recipe = recipe_of(DETECT, "lsnet_coco_1x", detector=detector)
    assert (recipe.lr, recipe.peak_lr, recipe.weight_decay) == (1e-4, 1e-4, 0.05)
    assert (recipe.epochs, recipe.iterations, recipe.batch_size) == (12, None, 16)
    assert recipe.rate_schedule == Steps(epochs=(8, 11), factor=0.1)
    assert recipe.warm_up == LinearRise(updates=500, start_factor=0.001)
    assert recipe.decay_norms_and_biases
    assert recipe.no_decay == ("attention_biases",)
    assert (recipe.clip, recipe.precision, recipe.averaging, recipe.flip) == (None, "fp32", None, 0.5)
    assert recipe.sizes.norm_eval
    assert [recipe.chunks(ranks) for ranks in (1, 2, 8)] == [8, 8, 8], "two images at a time, as on 8 devices"


def test_segmenters_are_trained_as_by_the_authors_code():
    recipe = recipe_of(SEGMENT, "lsnet_ade20k_40k")
    assert (recipe.lr, recipe.weight_decay, recipe.batch_size) == (2e-4, 1e-4, 32)
    assert recipe.updates(631) == 40_000
    assert recipe.epochs_of(631) == 64
    assert recipe.rate_schedule == Poly(power=0.9, min_lr=1e-6)
    assert recipe.warm_up is None
    assert recipe.decay_norms_and_biases
    assert recipe.no_decay == ()
    assert (recipe.crop, recipe.scales, recipe.one_class_at_most) == (512, (0.5, 2.0), 0.75)
    assert recipe.distort
    assert recipe.sync_batch_norm
    assert recipe.sizes.norm_eval
