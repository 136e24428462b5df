from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config, resolve_model_data_config

from lsbench.core.errors import ConfigError
from lsbench.core.job import Variant
from lsbench.data.loading.transforms import create_eval_transform
from lsbench.engine import preprocessing
from lsbench.engine.evaluation import PreprocessSpec
from lsbench.engine.preprocessing import images_of
from lsbench.models.families.lsnet import MODELS

#: Family -> names of weights, which differ in size, crop, interpolation, mean and standard deviation.
WEIGHTS = {
    "lsnet": ("lsnet_t", "lsnet_s_distill", "lsnet_nano"),
    "resnet": ("resnet18.a1_in1k", "resnet50.tv_in1k", "resnetv2_50x1_bit.goog_in21k_ft_in1k"),
    "vit": (
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        "vit_tiny_patch16_384.augreg_in21k_ft_in1k",
        "vit_small_patch32_224.augreg_in21k_ft_in1k",
        "vit_base_patch16_clip_224.openai_ft_in1k",
    ),
    "deit": ("deit_tiny_patch16_224.fb_in1k", "deit3_small_patch16_384.fb_in1k"),
    "edgenext": ("edgenext_xx_small", "edgenext_x_small", "edgenext_small", "edgenext_base.usi_in1k"),
    "fastvit": ("fastvit_t8", "fastvit_t12.apple_in1k", "fastvit_mci0.apple_mclip"),
    "mobilenet": (
        "mobilenetv3_small_100.lamb_in1k",
        "mobilenetv4_conv_small.e2400_r224_in1k",
        "tf_mobilenetv3_small_100.in1k",
    ),
    "efficientnet": (
        "efficientnet_b0.ra_in1k",
        "tf_efficientnet_b0.ns_jft_in1k",
        "efficientnet_lite0.ra_in1k",
    ),
    "convnext": ("convnext_atto.d2_in1k", "convnext_tiny.in12k_ft_in1k_384", "convnextv2_atto.fcmae_ft_in1k"),
    "swin": ("swin_tiny_patch4_window7_224.ms_in1k", "swinv2_tiny_window8_256.ms_in1k"),
    "pvt": ("pvt_v2_b0", "pvt_v2_b1.in1k"),
    "poolformer": ("poolformer_s12", "caformer_s18.sail_in1k_384"),
    "mixer": ("mixer_b16_224.goog_in21k_ft_in1k", "resmlp_12_224.fb_in1k"),
    "inception": ("inception_v3.tf_in1k", "xception41.tf_in1k"),
    "repvit": ("repvit_m0_9.dist_300e_in1k", "starnet_s1", "fasternet_t0", "efficientvit_m3"),
    "eva": ("eva02_tiny_patch14_336.mim_in22k_ft_in1k", "beitv2_base_patch16_224.in1k_ft_in22k_in1k"),
}
NAMES = [name for names in WEIGHTS.values() for name in names]


def context_of(name, **settings):
    spec = PreprocessSpec(**{"weights": "pretrained", **settings})
    variant = Variant(name="row", model=name, model_args={"pretrained": True}, dataset={"name": "imagenet"})
    job = SimpleNamespace(variant=variant, label="row/evaluate/seed0", contents={})
    return SimpleNamespace(spec=spec, job=job)


DATA = SimpleNamespace(img_size=224, folders=SimpleNamespace(mean=(0.3, 0.4, 0.5), std=(0.25, 0.5, 0.125)))


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 217, 3)).astype(np.uint8))


def timms_transform(name):
    return create_transform(**resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict()))


def test_models_see_the_tensors_that_timm_makes_for_their_weights_to_the_bit(photo):
    assert len(NAMES) >= 40
    assert len(WEIGHTS) >= 12
    seen = {name: images_of(context_of(name), DATA) for name in NAMES}
    for name, images in seen.items():
        assert torch.equal(create_eval_transform(images.chosen)(photo), timms_transform(name)(photo)), name
    for facet, least in {
        "res": 6,
        "crop_pct": 5,
        "crop_mode": 2,
        "interpolation": 2,
        "normalisation": 4,
    }.items():
        assert len({images.facets[facet] for images in seen.values()}) >= least, "the weights differ in each"


def test_the_cfg_of_a_name_is_that_of_the_model_that_is_built(photo):
    for name in ("lsnet_nano", "test_vit2.r160_in1k", "test_resnet"):
        built = create_transform(**resolve_model_data_config(timm.create_model(name)))
        assert torch.equal(timms_transform(name)(photo), built(photo))


def test_the_authors_crop_is_in_lsnets_own_cfgs():
    names = [name for name in MODELS if name != "lsnet_nano"]
    assert {images_of(context_of(name), DATA).used.crop_pct for name in names} == {0.875}


def test_trained_weights_keep_the_data_sets_way_unless_the_suite_says_otherwise():
    for weights in ("last", "ema", "fresh"):
        images = images_of(context_of("edgenext_small", weights=weights), DATA)
        assert (images.chosen, images.facets, images.normalisation_facets) == (None, {"res": 224}, {})
        assert (images.mean, images.std) == (DATA.folders.mean, DATA.folders.std)
        own = images_of(context_of("edgenext_small", weights=weights, preprocess="model"), DATA)
        assert own.facets["res"] == 256
    assert images_of(context_of("edgenext_small", preprocess="dataset"), DATA).chosen is None


def test_a_suite_sets_single_parts():
    parts = {"crop_pct": 1.0, "interpolation": "bilinear", "mean": [0.5, 0.5, 0.5]}
    published = images_of(context_of("edgenext_small", preprocess=parts), DATA)
    assert published.facets == {
        "preprocess": "model+crop_pct=1+interpolation=bilinear+mean=0.5/0.5/0.5",
        "res": 256,
        "crop_pct": 1.0,
        "crop_mode": None,
        "interpolation": "bilinear",
        "normalisation": "0.5/0.5/0.5:0.229/0.224/0.225",
    }
    trained = images_of(context_of("edgenext_small", weights="last", preprocess=parts), DATA)
    assert trained.facets == {
        **published.facets,
        "preprocess": None,
        "res": 224,
        "normalisation": "0.5/0.5/0.5:0.25/0.5/0.125",
    }


def test_a_size_that_a_test_set_is_given_stays():
    images = images_of(context_of("edgenext_small"), DATA, img_size=320)
    assert (images.used.img_size, images.whose) == (320, "model+input_size=320")


def test_weights_for_images_that_are_not_square_are_told(monkeypatch):
    monkeypatch.setattr(preprocessing, "data_config", lambda name, held: {"input_size": (3, 224, 320)})
    with pytest.raises(ConfigError, match=r"'vit' want other images: .*224 x 320; give `preprocess: {input_"):
        images_of(context_of("vit"), DATA)
    assert images_of(context_of("vit", preprocess={"input_size": 192}), DATA).used.img_size == 192
