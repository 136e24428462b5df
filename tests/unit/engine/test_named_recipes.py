import json
from pathlib import Path

import pytest
from timm.data import create_transform
from timm.data.auto_augment import RandAugment
from timm.data.random_erasing import RandomErasing
from torchvision import transforms as tv

from lsbench.data.dataset import ImageFolders
from lsbench.data.loading.transforms import create_train_transform
from lsbench.engine.named_recipes import NAMED_RECIPES
from lsbench.engine.recipe import Recipe

#: The authors' settings, as their code and logs have them.
AUTHORS = json.loads((Path(__file__).parent / "data" / "authors_recipe.json").read_text())


@pytest.fixture
def recipe():
    return Recipe(**NAMED_RECIPES["lsnet_300e"])


def test_every_number_is_the_authors(recipe):
    found = {
        "global_batch": recipe.batch_size,
        "batch_per_gpu": recipe.device_batch_size,
        "epochs": recipe.epochs,
        "effective_lr": recipe.peak_lr,
        "warmup_epochs": recipe.warmup_epochs,
        "warmup_lr": recipe.warmup_lr,
        "min_lr": recipe.min_lr,
        "clip_mode": recipe.clip.mode,
        "clip_grad": recipe.clip.value,
        "repeated_aug": recipe.repeats,
        "rand_augment": recipe.augment.auto_augment,
        "mixup": recipe.mixup,
        "cutmix": recipe.cutmix,
        "smoothing": recipe.smoothing,
    }
    assert found == {name: AUTHORS[name] for name in found}
    assert recipe.weight_decay == AUTHORS["weight_decay"]["lsnet_t"] == AUTHORS["weight_decay"]["lsnet_s"]
    assert recipe.ema_decay == AUTHORS["ema"]["decay"]
    assert recipe.augment.erase == AUTHORS["random_erase"]["prob"]
    assert recipe.precision == "fp32"
    assert recipe.chunks(8) == recipe.chunks(1) == recipe.chunks(2) == 8
    assert recipe.chunks(16) == 16


def test_the_shorter_one_differs_in_epochs_alone():
    short = {**NAMED_RECIPES["lsnet_100e"], "epochs": 300}
    assert NAMED_RECIPES["lsnet_100e"]["epochs"] == 100
    assert short == NAMED_RECIPES["lsnet_300e"]


def test_the_images_go_through_the_transforms_that_timm_makes_of_the_authors_arguments(recipe, tmp_path):
    ours = create_train_transform(ImageFolders(tmp_path, {}, ("a",)), 224, recipe.augment)
    theirs = create_transform(
        input_size=AUTHORS["input"],
        is_training=True,
        color_jitter=AUTHORS["color_jitter"],
        auto_augment=AUTHORS["rand_augment"],
        interpolation=AUTHORS["train_interpolation"],
        re_prob=AUTHORS["random_erase"]["prob"],
        re_mode=AUTHORS["random_erase"]["mode"],
        re_count=AUTHORS["random_erase"]["count"],
    )
    assert [type(step) for step in ours.transforms] == [type(step) for step in theirs.transforms]
    assert not any(isinstance(step, tv.ColorJitter) for step in theirs.transforms)
    for own, other in zip(ours.transforms, theirs.transforms, strict=True):
        assert facts(own) == facts(other)


def facts(step):
    if isinstance(step, RandAugment):
        return step.num_layers, [
            (op.name, op.prob, op.magnitude, op.magnitude_std, op.kwargs) for op in step.ops
        ]
    if isinstance(step, RandomErasing):
        return {key: value for key, value in vars(step).items() if not callable(value)}
    return repr(step)
