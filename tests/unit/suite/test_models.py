from lsbench.core.job import BuiltOn, OtherSize
from lsbench.suite.models import models_of
from lsbench.suite.parsed import parsed_once


def test_each_variant_and_each_further_model_of_its_jobs_is_there_once(tiny, make_graph):
    tiny["jobs"][0]["train"]["distill"] = {"teacher": "resnet18.a1_in1k"}
    tiny["jobs"][2]["profile"] |= {"probes": ["latency_ratio"], "control": {"model": "resnet18"}}
    found = {variant.name: variant for variant in models_of(parsed_once(make_graph(tiny).jobs))}
    assert set(found) == {
        f"{row}{end}" for row in ("ls", "id") for end in ("", ".profile.control", ".train.teacher")
    }
    assert found["ls.profile.control"].model == "resnet18"
    assert found["ls.profile.control"].mixer is None
    assert found["id.train.teacher"].model == "resnet18.a1_in1k"
    assert found["id.train.teacher"].dataset == found["id"].dataset


def test_a_detector_on_a_variants_backbone_is_a_model_of_its_own(tiny, make_graph):
    data = {"name": "fashion_coco", "train_images": 4, "test_images": 2}
    tiny["defaults"]["model_args"] = {"stem_stride": 8}
    tiny["jobs"] = ["train", {"detect": {"dataset": data, "head": {"channels": 16}}}]
    found = models_of(parsed_once(make_graph({**tiny, "seeds": [0]}).jobs))
    built = [model for model in found if isinstance(model, BuiltOn)]
    assert [model.name for model in found if model not in built] == ["ls", "id"]
    assert [(one.name, one.built_as, one.sizes) for one in built] == [
        ("ls", "retinanet", {"channels": 16}),
        ("id", "retinanet", {"channels": 16}),
    ]


def test_published_weights_of_a_backbone_are_no_part_of_the_model_that_is_tried(tiny, make_graph):
    tiny["variants"] = [{"name": "r", "model": "resnet18", "model_args": {"pretrained": True}}]
    tiny["defaults"] = {"dataset": {"name": "fashion_coco", "train_images": 4, "test_images": 2}}
    tiny["jobs"] = [{"detect": {"backbone_weights": "pretrained"}}]
    (_, built) = models_of(parsed_once(make_graph({**tiny, "baseline": None, "seeds": [0]}).jobs))
    assert built.model_args == {}
    tiny["jobs"] = [{"detect": {"backbone_weights": "resnet18.pth"}}]
    (_, built) = models_of(parsed_once(make_graph({**tiny, "baseline": None, "seeds": [0]}).jobs))
    assert built.model_args == {"backbone_checkpoint": "resnet18.pth"}


def test_a_model_with_weights_of_a_file_has_the_classes_of_its_data(tiny, make_graph):
    boxes = {"name": "fashion_coco", "train_images": 4, "test_images": 2}
    tiny["defaults"]["model_args"] = {"stem_stride": 8}
    tiny["jobs"] = [{"detect": {"dataset": boxes, "checkpoint": "all.pth"}}]
    (_, first, _, second) = models_of(parsed_once(make_graph({**tiny, "seeds": [0]}).jobs))
    assert {(one.checkpoint, one.num_classes) for one in (first, second)} == {("all.pth", 5)}


def test_a_model_is_tried_at_the_size_that_a_job_shows_to_it(tiny, make_graph):
    tiny["variants"] = [{"name": "r", "model": "resnet18"}]
    tiny["jobs"] = ["train", "evaluate", {"evaluate": {"name": "large", "preprocess": {"input_size": 64}}}]
    usual, other = models_of(parsed_once(make_graph({**tiny, "baseline": None, "seeds": [0]}).jobs))
    assert (type(usual).__name__, usual.dataset["img_size"]) == ("Variant", 32)
    assert isinstance(other, OtherSize)
    assert (other.name, other.dataset["img_size"], other.shown) == ("r", 32, 64)


def test_a_model_is_tried_with_the_weights_of_its_checkpoint_that_a_job_tests(tiny, make_graph, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"weights")
    args = {"checkpoint": str(tmp_path / "a.pth"), "checkpoint_weights": "raw"}
    tiny["variants"] = [{"name": "r", "model": "resnet18", "model_args": args}]
    tests = ["evaluate", {"evaluate": {"name": "averaged", "weights": "ema"}}]
    tiny |= {"baseline": None, "seeds": [0]}

    def kinds(jobs):
        return [(one.name, one.model_args["checkpoint_weights"]) for one in models_of(parsed_once(jobs))]

    tested = {"evaluate": {"weights": "ema"}}
    robust = {"robustness": {"weights": "ema", "corruptions": ["fog"], "severities": [1]}}
    assert kinds(make_graph({**tiny, "jobs": ["profile", tested, robust]}).jobs) == [
        ("r", "raw"),
        ("r", "ema"),
        ("r", "ema"),
    ]
    # The average of a training is none of the file.
    trained = {"train": {"ema_decay": 0.9}}
    assert kinds(make_graph({**tiny, "jobs": [trained, *tests]}).jobs) == [("r", "raw")]


def test_a_model_is_not_tried_at_a_size_that_no_job_shows_to_it(tiny, make_graph):
    tiny["variants"] = [{"name": "h", "model": "edgenext_small", "model_args": {"pretrained": True}}]
    tiny["jobs"] = [{"evaluate": {"weights": "pretrained"}}]
    [only] = models_of(parsed_once(make_graph({**tiny, "baseline": None, "seeds": [0]}).jobs))
    assert (only.dataset["img_size"], only.shown) == (256, 256)
