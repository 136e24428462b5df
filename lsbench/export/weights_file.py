"""Weights as a safetensors file that ``timm.create_model(name, checkpoint_path=FILE)`` loads."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save

from lsbench.export.subject import ModelToExport


def to_safetensors(subject: ModelToExport) -> bytes:
    """Return the weights under the model's own names, which for a model of timm are timm's.

    The file's metadata names the model and the arguments that build it.
    """
    state = {name: value.detach().clone().contiguous() for name, value in subject.model.state_dict().items()}
    built = {"model": subject.name, "num_classes": subject.num_classes, **subject.arguments}
    return save(state, metadata={"format": "pt", "timm.create_model": json.dumps(built)})


def load_in_timm(content: bytes, subject: ModelToExport) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Return the model as timm alone loads it from a file, and the arguments that this took.

    Raises:
        RuntimeError: If the names or shapes do not fit.
    """
    arguments = {**subject.arguments, "num_classes": subject.num_classes}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.safetensors")
        file.write_bytes(content)
        sized = {**arguments, "img_size": subject.img_size}
        for options in (sized, arguments):
            try:
                model = timm.create_model(subject.name, checkpoint_path=str(file), **options)
            except TypeError as error:
                # timm's convolutional models take any size, and so have no img_size.
                if "img_size" not in str(error) or options is arguments:
                    raise
                continue
            return model.eval(), options
    raise RuntimeError(f"{subject.name}: timm cannot build it")
