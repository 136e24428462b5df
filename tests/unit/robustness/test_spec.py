from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from lsbench.core.errors import ConfigError
from lsbench.core.facets import render_protocol
from lsbench.core.job import Variant
from lsbench.corruptions import BENCHMARK, NAMES
from lsbench.robustness.reference import ALEXNET
from lsbench.robustness.spec import RobustnessSpec, corruption_facets

FILES = {"name": "image_folder", "root": "c"}


def protocol(dataset="imagenet", *, res=256, crop=224, reference=ALEXNET, **settings):
    view = Variant(name="v", model="lsnet_t", dataset={"name": dataset})
    spec = RobustnessSpec(**settings)
    where = {"res": res, "crop": crop, "reference": reference, "images": 50_000, "limit": None, "version": 1}
    return render_protocol(corruption_facets(spec, view, **where))


def test_every_way_to_measure_has_a_protocol_of_its_own():
    live = "imagenet-c-live|c15|s5|res=256|crop=224|original|jpeg=85|ref=alexnet-HD19|n=50000|v1"
    assert protocol() == live
    ways = [
        protocol(),
        protocol(family="imagecorruptions"),
        protocol(jpeg_quality=None),
        protocol(corruptions=NAMES),
        protocol(corruptions=("fog", "snow")),
        protocol(severities=(1, 3)),
        protocol(split="val"),
        protocol(weights="ema"),
        protocol(reference=None),
        protocol(protocol="files", files=FILES, res=None),
        protocol("fashion", res=32, crop=None),
    ]
    assert len(set(ways)) == len(ways)
    assert protocol(corruptions=("snow", "fog")) == protocol(corruptions=("fog", "snow"))
    assert protocol(corruptions=BENCHMARK[::-1]) == live


def test_a_corruption_of_another_package_is_named_and_leaves_the_rest_of_the_protocol(install):
    haze = "def CORRUPTION(image, severity, rng): return image\n"
    install({"acme.haze": haze}, {"lsbench.corruptions": {"acme_haze": "acme.haze"}})
    assert protocol(corruptions=(*BENCHMARK, "acme_haze")).split("|")[1] == "c15+acme_haze"
    assert protocol(corruptions=("acme_haze", "fog", "snow")).split("|")[1] == "c=snow+fog+acme_haze"
    assert protocol(corruptions=("acme_haze",)).split("|")[1] == "c=acme_haze"


def test_files_are_named_after_their_data_set_and_say_nothing_of_how_they_were_made():
    found = protocol(protocol="files", files=FILES, res=None, family="imagecorruptions")
    assert found == "image-folder-files|c15|s5|crop=224|ref=alexnet-HD19|n=50000|v1"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"corruptions": ["fogg"]}, r"unknown corruption 'fogg' \(did you mean 'fog'\?\)"),
        ({"corruptions": ["fog", "fog"]}, "found 'fog' twice"),
        ({"corruptions": []}, "at least 1"),
        ({"severities": [6]}, "from 1 to 5, found 6"),
        ({"severities": [1, 1]}, "found 1 twice"),
        ({"jpeg_quality": 0}, "greater than or equal to 1"),
        ({"subset": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(settings, words):
    with pytest.raises(ValidationError, match=words) as caught:
        RobustnessSpec(**settings)
    assert len(caught.value.errors()) == 1


def test_files_are_other_data_and_live_images_are_not():
    assert RobustnessSpec().other_data() == ()
    assert RobustnessSpec(protocol="files").other_data() == ({"name": "imagenet_c"},)
    assert RobustnessSpec(protocol="files", files=FILES).other_data() == (FILES,)


def test_only_what_the_protocol_uses_is_part_of_a_jobs_id():
    def identity(**settings):
        return RobustnessSpec.identity_of(RobustnessSpec(**settings).model_dump(mode="json"))

    assert identity() == identity(files=FILES) == identity(data_workers=3)
    assert identity() != identity(family="imagecorruptions")
    assert identity() != identity(subset=100)
    files = identity(protocol="files", files=FILES)
    assert files == identity(protocol="files", files=FILES, jpeg_quality=50)
    assert files != identity(protocol="files", files="imagenet_c")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"corruptions": ("fog", "spatter")}, {"mud": "float32"}),
        ({"corruptions": ("fog", "spatter"), "severities": (1, 3)}, {}),
        ({"corruptions": ("spatter",), "family": "imagecorruptions"}, {}),
        ({}, {}),
    ],
)
def test_mud_as_published_is_named_since_values_of_before_had_another(settings, told):
    assert RobustnessSpec(**settings).mud == told


def test_conditions_are_every_severity_of_every_corruption():
    assert len(RobustnessSpec().conditions) == 75
    found = RobustnessSpec(corruptions=("fog", "snow"), severities=(2, 4)).conditions
    assert found == (("fog", 2), ("fog", 4), ("snow", 2), ("snow", 4))


def row(dataset="imagenet", size=256, model="edgenext_small", **model_args):
    return Variant(name="v", model=model, model_args=model_args, dataset={"name": dataset, "img_size": size})


@pytest.mark.parametrize(
    ("settings", "variant", "size"),
    [
        ({}, row(size=256), 224),
        ({}, row(size=64), 224),
        ({"protocol": "files"}, row(size=256), 224),
        ({"protocol": "files"}, row("image_folder", 256), 224),
        ({"protocol": "files", "files": FILES}, row(size=256), 256),
        ({}, row("image_folder", 256), 256),
        ({}, row("fashion", 32), 32),
    ],
)
def test_every_row_sees_the_size_of_the_benchmark(settings, variant, size):
    assert RobustnessSpec(**settings).size_of(variant) == size


def test_a_size_that_is_not_the_rows_own_is_part_of_a_jobs_id():
    def beside(size, **settings):
        spec = RobustnessSpec(**settings).model_dump(mode="json")
        return RobustnessSpec.identity_beside(SimpleNamespace(spec=spec, variant=row(size=size)))

    assert beside(224) == beside(224, protocol="files") == {}
    assert beside(256) == {"size": 224}


@pytest.mark.parametrize(
    ("settings", "variant", "words"),
    [
        (
            {},
            row(model="vit_tiny_patch16_384", size=384),
            "'vit_tiny_patch16_384' built for 384 px takes no imag",
        ),
        (
            {"weights": "pretrained"},
            row(model="halonet50ts"),
            "at least 256 px, not 224 px; corrupted images have 224 px for every row",
        ),
        (
            {"weights": "pretrained"},
            row(model="botnet26t_256.c1_in1k", pretrained=True),
            "the weights of 'botnet26t_256.c1_in1k' are for images of 256 px and do not fit it at 224 px",
        ),
        ({}, row(model="vit_tiny_patch16_224", size=224), ""),
        ({"weights": "pretrained"}, row(model="vit_tiny_patch16_384", size=384, pretrained=True), ""),
        ({"weights": "ema"}, row(model="vit_tiny_patch16_384", size=384, checkpoint="a.pth"), ""),
        ({}, row(model="edgenext_small"), ""),
        ({}, row(model="lsnet_t"), ""),
        ({}, row("image_folder", 384, "vit_tiny_patch16_384"), ""),
    ],
)
def test_a_model_that_cannot_run_at_that_size_is_told(settings, variant, words):
    spec = RobustnessSpec(**settings)
    if not words:
        spec.check_row(variant)
        return
    with pytest.raises(ValueError, match=words):
        spec.check_row(variant)


def test_it_is_refused_with_its_line_before_anything_runs(tiny, make_graph):
    tiny["defaults"] = {"dataset": {"name": "imagenet", "img_size": 384}}
    tiny["variants"] = [{"model": "vit_tiny_patch16_384"}, {"model": "resnet18"}]
    tiny["jobs"] = ["train", "robustness"]
    tiny.pop("baseline", None)
    with pytest.raises(ConfigError) as caught:
        make_graph(tiny)
    [line] = str(caught.value).splitlines()
    assert ": jobs[1].robustness: row 'vit_tiny_patch16_384': 'vit_tiny_patch16_384' built for 384 px" in line


def test_files_of_no_data_set_are_told_by_their_line(tiny, make_graph):
    tiny["jobs"] = ["train", {"robustness": {"protocol": "files", "files": "imagenet_d"}}]
    with pytest.raises(ConfigError, match=r"suite\.yaml:\d+: .*files: unknown data set 'imagenet_d'"):
        make_graph(tiny)
