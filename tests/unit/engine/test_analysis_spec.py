import pytest
from pydantic import ValidationError

from lsbench.core.job import Variant
from lsbench.core.registry import JOBS
from lsbench.jobs.analyze import AnalyzeSpec

DETECT, SEGMENT, TRAIN = (JOBS.load(name).spec for name in ("detect", "segment", "train"))
PLAIN = {"name": "a", "model": "lsnet_nano", "dataset": {"name": "fashion_coco"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "erf", "dataset": "fashion_coco"}, "dataset: only of analyses of detectors and segmenters"),
        ({"kind": "cka", "folder": "x", "head": {"channels": 8}}, "folder, head: only of analyses of"),
        ({"kind": "detections", "weights": "pretrained"}, "are a `checkpoint`; name it"),
        ({"kind": "segmentation", "weights": "ema"}, "have no moving average; leave it out"),
        ({"kind": "detections", "detector": "yolo"}, "'retinanet' or 'maskrcnn'"),
    ],
)
def test_settings_that_do_not_fit_the_task_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        AnalyzeSpec(**settings)


def test_each_analysis_needs_the_kind_of_job_that_trains_its_models():
    def needed(**settings):
        return AnalyzeSpec.needed_kinds(settings, ("train",))

    assert needed() == needed(kind="erf") == ("train",)
    assert needed(kind="detections") == ("detect",)
    assert needed(kind="segmentation") == ("segment",)
    assert needed(kind="detections", checkpoint="a.pth") == needed(kind="detections", weights="fresh") == ()
    assert needed(kind="no such analysis") == ("train",)


def test_a_job_for_another_task_is_refused():
    spec = AnalyzeSpec(kind="segmentation")
    spec.check_need(SEGMENT())
    with pytest.raises(ValueError, match="a model for segmentation, found maskrcnn, which is for detection"):
        spec.check_need(DETECT(detector="maskrcnn"))
    AnalyzeSpec(kind="erf").check_need(TRAIN())


def test_the_data_set_is_that_of_the_job_that_trains_unless_another_is_named():
    needs = {"maskrcnn": DETECT(dataset={"name": "fashion_coco", "img_size": 64})}
    found = AnalyzeSpec(kind="detections").with_needs(needs)
    assert found.read_data({"name": "fashion"}) == ({"name": "fashion_coco", "img_size": 64},)
    named = AnalyzeSpec(kind="detections", dataset="coco")
    assert named.with_needs(needs) is named
    assert AnalyzeSpec(kind="detections").with_needs({"a": DETECT()}).dataset is None
    classifier = AnalyzeSpec(kind="erf")
    assert classifier.with_needs(needs) is classifier


def test_earlier_results_keep_their_identity():
    spec = AnalyzeSpec(kind="erf").model_dump(mode="json")
    assert set(AnalyzeSpec.identity_of(spec)) == {
        *("kind", "num_images", "split", "batch_size", "weights", "threads")
    }


def test_the_images_of_a_folder_are_part_of_the_identity_and_its_place_is_not(tmp_path, tiny, make_graph):
    def identity(folder):
        spec = AnalyzeSpec(kind="detections", folder=str(folder)).model_dump(mode="json")
        tiny["jobs"] = ["train"]
        job = make_graph(tiny).jobs[0].model_copy(update={"spec": spec})
        assert "folder" not in AnalyzeSpec.identity_of(spec)
        return AnalyzeSpec.identity_beside(job)["pictures"]

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"x")
    assert identity(tmp_path / "one") == identity(tmp_path / "two")
    (tmp_path / "two" / "a.png").write_bytes(b"y")
    assert identity(tmp_path / "one") != identity(tmp_path / "two")
    assert identity(tmp_path / "absent") == "missing"


def test_a_model_that_no_job_trains_is_built_before_any_job_runs():
    variant = Variant(**PLAIN, model_args={"stem_stride": 8, "checkpoint": "a.pth"})
    built = AnalyzeSpec(kind="detections", weights="fresh", head={"channels": 8}).built_on(variant)
    assert (built.built_as, built.sizes, built.model_args) == (
        "maskrcnn",
        {"channels": 8},
        {"stem_stride": 8},
    )
    assert AnalyzeSpec(kind="segmentation", checkpoint="b.pth").built_on(variant).built_as == "semantic_fpn"
    assert AnalyzeSpec(kind="detections").built_on(variant) is None
    assert AnalyzeSpec(kind="erf", weights="fresh").built_on(variant) is None


def test_splits_are_those_of_the_data_that_is_read():
    assert AnalyzeSpec(kind="detections", split="val").other_splits() == ("val",)
    assert AnalyzeSpec(kind="detections", folder="x").own_splits() == ()
