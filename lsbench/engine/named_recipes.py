"""Recipes by name: settings of published trainings. No torch here.

``lsnet_300e`` is the training of LSNet-T and -S on ImageNet-1K, ``lsnet_100e`` the same in the 100 epochs of
the paper's analyses; LSNet-B takes ``weight_decay: 0.05``. Sources: Wang et al., CVPR 2025
(arXiv:2503.23135), Table 1 of its supplement, and the authors' code, which takes precedence:

- The rate is 4e-3 for a batch of 2048 and scales with the batch. (The code's own number, 1e-3, is for 512.)
- "Gradient clip 0.02" is adaptive clipping with that factor, heads included.
- Colour jitter (0.4 in the table) is off: timm ignores it if RandAugment is given.
- Repeated augmentation with three copies is on, and an average of the weights with decay 0.99996 is kept;
  the table has neither. Here the average is evaluated too.
- The rate changes once an epoch and one epoch late: the first two epochs run at 1e-6, the cosine counts from
  the first epoch, warm-up included, and there is no cool-down.
- Batch statistics are those of one device's 256 images, even if fewer devices process them in turn.
- Everything runs in fp32.
"""

from __future__ import annotations

from typing import Any

_LSNET: dict[str, Any] = {
    "batch_size": 2048,
    "device_batch_size": 256,
    "sync_batch_norm": False,
    "lr": 4e-3,
    "lr_reference_batch": 2048,
    "min_lr": 1e-5,
    "warmup_epochs": 5,
    "warmup_lr": 1e-6,
    "lr_step": "epoch_late",
    "weight_decay": 0.025,
    "smoothing": 0.1,
    "mixup": 0.8,
    "cutmix": 1.0,
    "repeats": 3,
    "clip": {"mode": "agc", "value": 0.02},
    "ema_decay": 0.99996,
    "augment": {
        "flip": 0.5,
        "random_resized_crop": True,
        "auto_augment": "rand-m9-mstd0.5-inc1",
        "erase": 0.25,
    },
    "precision": "fp32",
    "data_workers": 10,
}

NAMED_RECIPES: dict[str, dict[str, Any]] = {
    "lsnet_300e": {**_LSNET, "epochs": 300},
    "lsnet_100e": {**_LSNET, "epochs": 100},
}
