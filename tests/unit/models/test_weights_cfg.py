from lsbench.models.weights_cfg import data_config


def test_the_tag_of_a_name_chooses_the_weights_and_so_their_images():
    openai = data_config("vit_base_patch16_clip_224.openai_ft_in1k")
    augreg = data_config("vit_base_patch16_224.augreg_in21k_ft_in1k")
    assert openai["mean"] != augreg["mean"] == (0.5, 0.5, 0.5)
    assert data_config("edgenext_small")["input_size"] == (3, 256, 256)
    assert data_config("lsnet_t")["crop_pct"] == 0.875


def test_a_model_without_a_cfg_wants_nothing():
    assert data_config("no_such_model") == {}
