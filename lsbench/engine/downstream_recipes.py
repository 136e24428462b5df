"""Recipes of detection and segmentation by name: settings of the authors' trainings. No torch here.

``lsnet_coco_1x`` trains RetinaNet and Mask R-CNN on COCO-2017, ``lsnet_ade20k_40k`` Semantic FPN on ADE20K.
Sources: Wang et al., CVPR 2025 (arXiv:2503.23135), section A.1 of its supplement, and the authors' code,
which takes precedence:

- The supplement gives a rate of 2e-4 for detection. All six of the code's configurations, and the logs of the
  released models, have 1e-4.
- Norms and biases decay like all other weights; of detectors, attention biases alone do not.
- Losses are divided by counts of the two images that a device has at a time, so two it is on fewer devices.
- Backbones keep the statistics of their batch normalisations; their scale and shift are trained.
- Gradients are not clipped, there is no average of the weights, and everything runs in fp32.
- Semantic FPN has no warm-up, and is validated about every 4000 updates.
"""

from __future__ import annotations

from typing import Any

DETECTION_RECIPES: dict[str, dict[str, Any]] = {
    "lsnet_coco_1x": {
        "epochs": 12,
        "batch_size": 16,
        "device_batch_size": 2,
        "lr": 1e-4,
        "schedule": {"kind": "steps", "epochs": [8, 11], "factor": 0.1},
        "warmup": {"updates": 500, "start_factor": 0.001},
        "weight_decay": 0.05,
        "decay_norms_and_biases": True,
        "no_decay": ["attention_biases"],
        "flip": 0.5,
        "precision": "fp32",
        "data_workers": 4,
    },
}

SEGMENTATION_RECIPES: dict[str, dict[str, Any]] = {
    "lsnet_ade20k_40k": {
        "iterations": 40_000,
        "batch_size": 32,
        "lr": 2e-4,
        "schedule": {"kind": "poly", "power": 0.9, "min_lr": 1e-6},
        "weight_decay": 1e-4,
        "decay_norms_and_biases": True,
        "flip": 0.5,
        "crop": 512,
        "scales": [0.5, 2.0],
        "one_class_at_most": 0.75,
        "distort": True,
        "precision": "fp32",
        "validate_every": 6,
        "data_workers": 8,
    },
}
