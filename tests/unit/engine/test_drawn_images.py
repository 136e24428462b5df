import json

import pytest
import torch
from PIL import Image

from lsbench.core.errors import ConfigError, DataError, StoreError
from lsbench.core.job import Job, JobContext
from lsbench.core.registry import JOBS
from lsbench.detection.settings import RetinaNetSettings
from lsbench.engine import weights
from lsbench.engine.drawn_images import create_seen, open_images
from lsbench.jobs.analyze import AnalyzeSpec
from lsbench.models.downstream.factory import create_downstream

HEAD = {"channels": 16, "convs": 1, "extra_levels": 0}
DATA = {"name": "fashion_coco", "img_size": 64, "train_images": 1, "test_images": 6}


def create_model(seed):
    torch.manual_seed(seed)
    return create_downstream(
        "retinanet",
        "lsnet_nano",
        num_classes=5,
        settings=RetinaNetSettings(**HEAD),
        mixer="identity",
        stem_stride=8,
    )


@pytest.fixture
def create_context(prepare_scenes, tmp_path):
    """Create the context of an analysis after the training of a detector with known weights."""

    def create(**settings):
        trained = prepare_scenes("trained", "detect", head=HEAD, dataset=DATA)
        job = Job.model_validate_json((trained / "spec.json").read_text())
        weights.save(trained / weights.WEIGHTS, create_model(1).state_dict())
        spec = AnalyzeSpec(**{"kind": "detections", "dataset": DATA, "num_images": 3, **settings})
        own = job.model_copy(
            update={"kind": "analyze", "name": "a", "spec": spec.model_dump(mode="json"), "data_root": None}
        )
        return JobContext(own, spec, tmp_path / "out", {"retinanet": trained}, "cpu", print)

    return create


def same(one, other):
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


def test_the_model_is_that_of_the_needed_job(create_context):
    found = create_seen(create_context(), 5)
    assert same(found, create_model(1))
    assert not found.training


def test_another_number_of_classes_is_told(create_context):
    with pytest.raises(ConfigError, match=r"with the 5 classes that .*/seed3 knows, found one with 80"):
        create_seen(create_context(), 80)


def test_without_a_job_that_trains_one_there_is_no_model(create_context):
    context = create_context()
    (folder,) = context.needs.values()
    (folder / weights.WEIGHTS).unlink()
    with pytest.raises(StoreError, match=r"no weights in .*; run it again with --rerun id/"):
        create_seen(context, 5)
    text = json.loads((folder / "spec.json").read_text())
    text |= {"kind": "train", "spec": JOBS.load("train").spec().model_dump(mode="json")}
    (folder / "spec.json").write_text(json.dumps(text))
    with pytest.raises(StoreError, match=r"no detector or segmenter among the needed jobs \(retinanet\)"):
        create_seen(context, 5)


def test_a_checkpoint_or_random_weights_need_no_job(create_context, tmp_path):
    own = {"detector": "retinanet", "head": HEAD}
    weights.save(tmp_path / "own.safetensors", create_model(7).state_dict())
    context = create_context(checkpoint=str(tmp_path / "own.safetensors"), **own)
    context.needs.clear()
    assert same(create_seen(context, 5), create_model(7))
    fresh = create_context(weights="fresh", **own)
    torch.manual_seed(7)
    assert same(create_seen(fresh, 5), create_model(7))
    wrong = create_context(checkpoint=str(tmp_path / "own.safetensors"), detector="maskrcnn")
    with pytest.raises(
        ConfigError, match=r"id/a/seed3: checkpoint .* does not fit maskrcnn .* it is of retinanet"
    ):
        create_seen(wrong, 5)


def test_images_are_of_the_data_set_or_of_a_folder(create_context, tmp_path):
    images = open_images(create_context())
    assert images.classes == ("top", "trouser", "dress", "shoe", "bag")
    assert len(images.drawn) == 3
    assert images.drawn[0].image.shape == (3, 64, 64)
    name = images.drawn.names[1]
    assert open_images(create_context(images=(name,))).drawn.names == (name,)
    Image.new("RGB", (90, 30)).save(tmp_path / "mine.png")
    mine = open_images(create_context(folder=str(tmp_path)))
    assert mine.drawn.names == ("mine.png",)
    assert mine.classes == images.classes


def test_the_classes_of_a_published_set_are_known_without_its_data(create_context, tmp_path):
    Image.new("RGB", (90, 30)).save(tmp_path / "mine.png")
    images = open_images(create_context(dataset="coco", folder=str(tmp_path)))
    assert (len(images.classes), images.classes[0]) == (80, "person")
    assert images.drawn[0].image.shape == (3, 444, 1333)
    with pytest.raises(DataError, match="coco"):
        open_images(create_context(dataset="coco"))


def test_data_of_whole_images_is_refused(create_context, tmp_path):
    context = create_context(dataset="fashion")
    with pytest.raises(ConfigError, match="for detection or segmentation, found 'fashion'"):
        open_images(context)
