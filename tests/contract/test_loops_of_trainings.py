"""Which trainings take the loops for one core: those whose version says that their sums round so."""

import pytest
import torch

from lsbench.engine.checkpoints import checkpoints_of
from lsbench.engine.objective import Objective
from lsbench.engine.recipe import Recipe
from lsbench.engine.trainer import Trainer
from lsbench.models import blocks
from lsbench.models.factory import create_model
from lsbench.models.ops import train_step
from lsbench.models.ops.suited import is_suited


class Photos:
    """One batch."""

    def set_epoch(self, epoch, start_update=0):
        pass

    def __len__(self):
        return 1

    def __iter__(self):
        yield torch.randn(8, 3, 32, 32), torch.arange(8) % 2


@pytest.mark.parametrize(
    ("settings", "has_loops"),
    [({"channels_last": True}, True), ({}, False), ({"channels_last": True, "threads": 2}, False)],
)
def test_only_a_training_whose_version_says_so_takes_them(settings, has_loops, tmp_path, monkeypatch):
    """Mixers of windows lay a pixel's channels together in any layout; a gate's map has one pixel."""
    seen = []

    def look(*args):
        seen.append(is_suited(*args))
        return seen[-1]

    for module in (blocks, train_step):
        monkeypatch.setattr(module, "is_suited", look)
    torch.set_num_threads(1)
    recipe = Recipe(epochs=1, batch_size=8, **settings)
    model = create_model("lsnet_nano", mixer="swin", num_classes=2, img_size=32)
    trainer = Trainer(
        model, recipe, Photos(), checkpoints_of(tmp_path), Objective(recipe, num_classes=2), seed=0
    )
    trainer.run(lambda event: None, lambda model: {"val_top1": 0.5})
    assert any(seen) == has_loops == bool(recipe.takes_loops)
