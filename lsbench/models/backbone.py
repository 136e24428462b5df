"""LSNet's backbone: stem -> four stages -> head, with a pluggable token mixer in the first three stages.

Inside a stage, blocks of even depth mix tokens with the extra depth-wise convolution and
squeeze-and-excitation, blocks of odd depth with the pluggable token mixer (stages 1-3) or with self-attention
(stage 4).

Source:
    LSNet, CVPR 2025, arXiv:2503.23135, section 3.4 and supplement A.2. Module names are those of the authors'
    checkpoints.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

import torch
from timm.layers import select_adaptive_pool2d
from timm.models import checkpoint_seq
from timm.models._features import feature_take_indices
from timm.models._input import update_model_input_size
from torch import Tensor, nn

from lsbench.models.blocks import Attention, Block, BNLinear, ConvNorm, RepVGGDW, Residual, Stem
from lsbench.models.fusion import fuse
from lsbench.models.open_layout import laid_out
from lsbench.models.open_sizes import check_traced_maps
from lsbench.models.packed_conv import pack
from lsbench.models.token_mixer import create_mixer

STEM_CONVS = {2: 1, 4: 2, 8: 3}
NUM_STAGES = 4
#: How a map becomes features, under timm's names; the empty one leaves the map as it is.
POOLINGS = ("", "avg", "max", "avgmax", "catavgmax")


class LSNet(nn.Module):
    """A vision backbone and classifier for images of any size.

    Args:
        img_size: Height and width in pixels, or (height, width), of the images that the attention biases are
            learned for. For images of another size the biases are resized on the fly.
        in_chans: Channels of the images.
        num_classes: Classes; 0 means no classifier.
        stem_stride: Downsampling factor of the stem: 2, 4 or 8, one stride-2 convolution per factor of 2.
        embed_dims: Channels of each stage.
        depths: Blocks of each stage.
        num_heads: Heads of the attention in stage 4.
        key_dim: Width of one head's queries and keys.
        mixer: Token mixer of the blocks of odd depth in stages 1-3, by its name in YAML.
        mixer_args: Options of the mixer.
        has_extra_dw: Whether blocks of even depth have the extra depth-wise convolution (Table 8).
        has_se: Whether blocks of even depth have squeeze-and-excitation (Table 8).
        drop_rate: Probability of dropping a pooled feature before the classifier in training.
        global_pool: ``"avg"``, ``"max"``, their mean ``"avgmax"``, both ``"catavgmax"``, or ``""`` for a map
            instead of features, which goes without a classifier.
        output_stride: Downsampling factor of the last map, 8 times `stem_stride`; no other one can be had.
        drop_path_rate: Probability of skipping a residual FFN or attention branch in training, rising
            linearly from 0 in the first block to this value in the last.
        bias_resize: What is resized of the attention biases for images of another size: ``"table"``, those of
            offsets, or ``"matrix"``, those of all pairs of pixels, as the authors' detectors do.

    Raises:
        ValueError: If the sizes do not fit together.
        ConfigError: If the mixer or one of its options is wrong.
    """

    head_names: tuple[str, ...] = ("head",)
    head: nn.Module
    global_pool: str

    def __init__(  # noqa: PLR0913 - timm's names, each its own argument
        self,
        *,
        img_size: int | tuple[int, int] = 224,
        in_chans: int = 3,
        num_classes: int = 1000,
        stem_stride: int = 8,
        embed_dims: Sequence[int] = (64, 128, 256, 384),
        depths: Sequence[int] = (0, 2, 8, 10),
        num_heads: int = 4,
        key_dim: int = 16,
        mixer: str = "ls_conv",
        mixer_args: Mapping[str, Any] | None = None,
        has_extra_dw: bool = True,
        has_se: bool = True,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
        output_stride: int | None = None,
        drop_path_rate: float = 0.0,
        bias_resize: Literal["table", "matrix"] = "table",
    ) -> None:
        super().__init__()
        _check_sizes(stem_stride, embed_dims, depths)
        check_output_stride(output_stride, stem_stride * 2 ** (NUM_STAGES - 1))
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.num_features = embed_dims[-1]
        self.grad_checkpointing = False
        self.feature_info = [
            {"num_chs": dim, "reduction": stem_stride * 2**index, "module": f"blocks{index + 1}"}
            for index, dim in enumerate(embed_dims)
        ]
        self.patch_embed = _stem(in_chans, embed_dims[0], STEM_CONVS[stem_stride])
        resolution = _last_resolution(img_size, stem_stride * 2 ** (NUM_STAGES - 1))

        def pluggable(dim: int, drop_path: float) -> nn.Module:
            return create_mixer(mixer, dim, mixer_args)

        def attention(dim: int, drop_path: float) -> nn.Module:
            module = Attention(
                dim, key_dim=key_dim, num_heads=num_heads, resolution=resolution, bias_resize=bias_resize
            )
            return Residual(module, drop_path)

        drops = _drop_paths(drop_path_rate, depths)
        for index, (dim, stage_drops) in enumerate(zip(embed_dims, drops, strict=True)):
            layers = _downsample(embed_dims[index - 1], dim) if index else []
            odd_mixer = attention if index == NUM_STAGES - 1 else pluggable
            layers += _blocks(dim, stage_drops, odd_mixer, has_extra_dw=has_extra_dw, has_se=has_se)
            setattr(self, f"blocks{index + 1}", nn.Sequential(*layers))
        self.reset_classifier(num_classes, global_pool)

    @property
    def stages(self) -> list[nn.Sequential]:
        """The four stages; all but the first start with their downsampling."""
        return [getattr(self, f"blocks{index + 1}") for index in range(NUM_STAGES)]

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, shape (B, num_features, H, W), from images (B, in_chans, H, W)."""
        x = self.patch_embed(x)
        for stage in self.stages:
            x = self._forward_stage(stage, x)
        return x

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the last stage's map and the maps after the chosen stages, or only the latter.

        Args:
            x: Images (B, in_chans, H, W).
            indices: Numbers of the stages from 0 (negative ones from the end), a count of last stages, or
                None for all.
            norm: Not used: no normalisation follows the stages.
            stop_early: Whether to skip the stages after the last chosen one.
            output_fmt: ``"NCHW"``.
            intermediates_only: Whether to return the chosen maps alone.

        Raises:
            ValueError: If another format is requested.
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        chosen, last = feature_take_indices(NUM_STAGES, indices)
        intermediates = []
        x = self.patch_embed(x)
        for index, stage in enumerate(self.stages[: last + 1] if stop_early else self.stages):
            x = self._forward_stage(stage, x)
            if index in chosen:
                intermediates.append(x)
        return intermediates if intermediates_only else (x, intermediates)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits (B, num_classes) of a map, or the pooled features (B, head_hidden_size)."""
        if self.global_pool:
            x = select_adaptive_pool2d(x, self.global_pool).flatten(1)
        if self.drop_rate > 0:
            x = nn.functional.dropout(x, self.drop_rate, self.training)
        return x if pre_logits else self._classify(x)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the logits of images (B, in_chans, H, W), shape (B, num_classes).

        Without a classifier it is the features (B, head_hidden_size), without pooling the last stage's map.
        """
        return self.forward_head(self.forward_features(x))

    def fuse(self) -> LSNet:
        """Return a copy for evaluation with normalisations and parallel branches folded away."""
        return cast("LSNet", fuse(self))

    def packed(self) -> LSNet:
        """Return a copy for evaluation on a CPU whose convolutions lay out their weights once.

        The last step, after :meth:`fuse` and after weights are changed, moved or loaded: writing to a weight
        of a convolution of the copy raises a RuntimeError.
        """
        return cast("LSNet", pack(copy.deepcopy(self).eval()))

    def get_classifier(self) -> nn.Module | tuple[nn.Module, ...]:
        """Return the head."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the head by a new one.

        Args:
            num_classes: Classes; 0 removes the head.
            global_pool: As of the model; None keeps its pooling, or takes the mean for a classifier if it was
                removed.

        Raises:
            ValueError: If the classes are negative, the pooling is unknown, or a classifier has none.
        """
        pool = global_pool
        if pool is None:
            pool = self.global_pool or ("avg" if num_classes else "")
        if num_classes < 0:
            raise ValueError(f"num_classes must be 0 or more, got {num_classes}")
        if pool not in POOLINGS:
            raise ValueError(f"global_pool must be one of {', '.join(map(repr, POOLINGS))}, got {pool!r}")
        if num_classes and not pool:
            raise ValueError(
                f"a classifier of {num_classes} classes needs pooled features, and global_pool is ''; "
                "give global_pool 'avg' too, or num_classes 0"
            )
        self.num_classes, self.global_pool = num_classes, pool
        self.head_hidden_size = self.num_features * (2 if pool == "catavgmax" else 1)
        for name in self.head_names:
            setattr(self, name, self._create_head())

    def set_input_size(self, img_size: int | Sequence[int]) -> None:
        """Resize the attention biases for images of another size, as loading them into such a model does.

        Images of that size get the same outputs before and after; a training learns the new biases.

        Args:
            img_size: Height and width in pixels, or (height, width).

        Raises:
            ValueError: If it is no such size.
        """
        resolution = _last_resolution(img_size, self.feature_info[-1]["reduction"])
        for module in self.modules():
            if isinstance(module, Attention):
                module.set_resolution(resolution)
        update_model_input_size(self, img_size)  # for what timm saves beside weights

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Remove the stages after the last chosen one, and the head; return the numbers of the chosen stages.

        Args:
            indices: As in :meth:`forward_intermediates`.
            prune_norm: Not used: no normalisation follows the stages.
            prune_head: Whether to remove the head and the pooling too; they always go with the last stage.
        """
        chosen, last = feature_take_indices(NUM_STAGES, indices)
        for index in range(last + 1, NUM_STAGES):
            setattr(self, f"blocks{index + 1}", nn.Sequential())
        self.num_features = self.feature_info[last]["num_chs"]
        if prune_head or last + 1 < NUM_STAGES:
            self.reset_classifier(0, "")
        taken: list[int] = chosen
        return taken

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block's activations in the backward pass instead of keeping them.

        The running averages of the normalisations then move twice per step.
        """
        self.grad_checkpointing = enable

    def no_weight_decay(self) -> set[str]:
        """Return the names of parameters without weight decay, besides vectors and biases."""
        return {name for name, _ in self.named_parameters() if name.endswith("attention_biases")}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return the parameter groups by layer: a stage if `coarse`, else a block."""
        return {
            "stem": r"^patch_embed",
            "blocks": r"^blocks(\d+)" if coarse else [(r"^blocks(\d+)\.(\d+)", None)],
        }

    def _forward_stage(self, stage: nn.Sequential, x: Tensor) -> Tensor:
        if self.grad_checkpointing and torch.is_grad_enabled():
            y: Tensor = checkpoint_seq(stage, x, use_reentrant=False)
        else:
            with laid_out():
                y = stage(x)
        check_traced_maps(x, y)
        return y

    def _classify(self, pooled: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits: Tensor = self.head(pooled)
        return logits

    def _create_head(self) -> nn.Module:
        if self.num_classes == 0:
            return nn.Identity()
        reference = next(self.parameters())
        head = BNLinear(self.head_hidden_size, self.num_classes).train(self.training)
        return head.to(device=reference.device, dtype=reference.dtype)


class LSNetDistilled(LSNet):
    """LSNet with a second head that learns from a teacher; the prediction is the mean of both heads.

    As in timm's distilled models, ``set_distilled_training()`` makes training return the logits of both
    heads.
    """

    head_names = ("head", "head_dist")
    head_dist: nn.Module
    distilled_training = False

    def set_distilled_training(self, enable: bool = True) -> None:
        """Choose whether training returns ``(logits, logits_dist)`` instead of their mean."""
        self.distilled_training = enable

    def get_classifier(self) -> tuple[nn.Module, nn.Module]:
        """Return both heads."""
        return self.head, self.head_dist

    def _classify(self, pooled: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits, logits_dist = self.head(pooled), self.head_dist(pooled)
        if self.distilled_training and self.training:
            return logits, logits_dist
        mean: Tensor = (logits + logits_dist) / 2
        return mean


def _stem(in_chans: int, dim: int, convs: int) -> nn.Sequential:
    """Return `convs` overlapping stride-2 convolutions that double the width each time, with ReLU between."""
    widths = [in_chans, *(dim // 2 ** (convs - 1 - index) for index in range(convs))]
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [ConvNorm(narrow, wide, 3, stride=2), nn.ReLU(inplace=True)]
    return Stem(*layers[:-1])


def _downsample(in_dim: int, dim: int) -> list[nn.Module]:
    return [ConvNorm(in_dim, in_dim, 3, stride=2, groups=in_dim), ConvNorm(in_dim, dim)]


def _blocks(
    dim: int,
    drop_paths: Sequence[float],
    odd_mixer: Callable[[int, float], nn.Module],
    *,
    has_extra_dw: bool,
    has_se: bool,
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for depth, drop in enumerate(drop_paths):
        if depth % 2:
            blocks.append(Block(dim, odd_mixer(dim, drop), has_se=False, drop_path=drop))
        else:
            mixer = RepVGGDW(dim) if has_extra_dw else nn.Identity()
            blocks.append(Block(dim, mixer, has_se=has_se, drop_path=drop))
    return blocks


def _drop_paths(rate: float, depths: Sequence[int]) -> list[list[float]]:
    """Return each block's drop path rate, per stage: linear from 0 to `rate` over all blocks."""
    step = rate / max(sum(depths) - 1, 1)
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [
        [step * (start + block) for block in range(depth)]
        for start, depth in zip(starts, depths, strict=True)
    ]


def _last_resolution(img_size: int | Sequence[int], reduction: int) -> tuple[int, int]:
    """Return (H, W) of stage 4, rounded up as each halving does."""
    sides = tuple(img_size) if isinstance(img_size, Sequence) else (img_size, img_size)
    if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
        raise ValueError(f"img_size must be a number of pixels or (height, width), got {img_size!r}")
    return -(-sides[0] // reduction), -(-sides[1] // reduction)


def check_output_stride(output_stride: int | None, own: int) -> None:
    """Raise a ValueError if a model is to have another downsampling factor than its own."""
    if output_stride not in (None, own):
        raise ValueError(
            f"output_stride must be {own} or left out, got {output_stride}: token mixers are not dilated; "
            "finer maps are those of earlier stages (features_only, out_indices)"
        )


def _check_sizes(stem_stride: int, embed_dims: Sequence[int], depths: Sequence[int]) -> None:
    if stem_stride not in STEM_CONVS:
        raise ValueError(f"stem_stride must be 2, 4 or 8, got {stem_stride}")
    if len(embed_dims) != NUM_STAGES or len(depths) != NUM_STAGES:
        raise ValueError(
            f"embed_dims and depths need {NUM_STAGES} numbers each, got {list(embed_dims)} and {list(depths)}"
        )
    if embed_dims[0] % (stem_stride // 2):
        raise ValueError(f"embed_dims[0] must be a multiple of {stem_stride // 2}, got {embed_dims[0]}")
