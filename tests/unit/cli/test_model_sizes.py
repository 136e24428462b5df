import pytest
import timm

from lsbench.cli.model_sizes import has_bound_weights, input_side, sizes
from lsbench.core.catalog import read_catalog, weights_size

REGENERATE = "run `python -m lsbench.cli.catalog`"
#: Models of files of timm that resize their weights for another image size or do not; one has none to resize.
TRIED = {
    "botnet26t_256": True,
    "vit_tiny_patch16_384": False,
    "deit_tiny_ls": False,
    "edgenext_xx_small": False,
}


@pytest.mark.parametrize("name", TRIED)
def test_whether_weights_fit_at_another_size_is_found_by_trying_and_known_to_the_catalog(name):
    assert has_bound_weights(name) == TRIED[name] == (name in read_catalog()["bound"]), REGENERATE


def test_the_catalog_knows_the_sizes_that_timm_tells():
    found = sizes()
    assert {name: read_catalog()[name] for name in found} == found, REGENERATE
    assert {"vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"} <= {*found["fixed"]}
    assert not {"edgenext_small", "fastvit_t8", "resnet18", "lsnet_t"} & {*found["fixed"]}
    assert {*read_catalog()["bound"]} <= {*found["fixed"]}, REGENERATE


def test_the_size_of_every_published_set_of_weights_is_known_without_torch():
    for name in timm.list_pretrained():
        assert weights_size(name) == input_side(timm.get_pretrained_cfg(name)), name
    assert weights_size("lsnet_t") == 224
    assert weights_size("no_such_model") is weights_size("hf-hub:a/b") is None
