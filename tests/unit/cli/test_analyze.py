import json

import numpy as np
import pytest
from PIL import Image

from lsbench.cli.main import run_command
from lsbench.core.atomic import write_text
from lsbench.detection.settings import RetinaNetSettings
from lsbench.engine import weights
from lsbench.models.downstream.factory import create_downstream

FIND = ["analyze", "detections", "lsnet_nano", "--img-size", "64"]
NANO = ["analyze", "erf", "lsnet_nano", "--images", "4", "--img-size", "32"]


def test_one_model_is_looked_into_and_the_numbers_are_printed(tmp_path, capsys):
    assert run_command([*NANO, "--mixer", "without_lkp", "-o", str(tmp_path / "new")]) == 0
    text, err = capsys.readouterr()
    assert err == (
        "warning: erf: lsnet_nano, without_lkp has random weights: "
        "picture and numbers are of an untrained model\n"
    )
    assert "ERF area of 50 % (%): " in text
    assert "erf|test|fresh|res=32|n=4|v1.1" in text
    assert np.load(tmp_path / "new" / "erf.npz")["field"].shape == (32, 32)
    files = [tmp_path / "new" / f"erf.{end}" for end in ("npz", "pdf", "svg", "png")]
    assert f"written: {', '.join(map(str, files))}\n" in text
    assert "random" in (tmp_path / "new" / "erf.svg").read_text(), "letters are told as comments"


def test_machines_get_records_and_the_same_ones_again(tmp_path, capsys):
    lines = []
    for _ in range(2):
        assert run_command([*NANO, "--json", "-o", str(tmp_path)]) == 0
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    first, *_ = lines[0].splitlines()
    assert json.loads(first)["metric"] == "erf_area_20"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze", "erff", "lsnet_nano"], "unknown analysis 'erff' (did you mean 'erf'?)"),
        (["analyze", "erf", "lsnet_nani"], "did you mean 'lsnet_nano'"),
        ([*NANO, "--mixer", "cgaa"], "--mixer: unknown mixer 'cgaa'"),
        ([*NANO, "--dataset", "fashio"], "--dataset: unknown data set 'fashio'"),
        ([*NANO[:-1], "300"], "img_size"),
        (["analyze", "aggregation", "lsnet_nano", "--mixer", "rep_mixer", *NANO[3:]], "RepMixer predicts no"),
        ([*NANO, "-o", __file__], "name a folder"),
        ([*NANO[:3], "--images", "own"], "--images own: expected a number from 1 on; erf takes no folder"),
        ([*NANO[:3], "--images", "0"], "--images 0: expected a number from 1 on"),
        ([*FIND, "--images", "no/such"], "--images no/such: expected a folder there, found none"),
        ([*FIND, "--pretrained"], "weights of detections go by no name; name their file: --checkpoint FILE"),
        ([*FIND, "--dataset", "fashion"], "'fashion', which is for classification; name another"),
        ([*FIND, "--images", "dog.jpg"], "images: dog.jpg: no image is called so in the split 'test'"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)).save(folder / f"photo {number}.png")
    return folder


@pytest.fixture
def found(tiny, make_graph, fill_store):
    """A store with the detector `id/retinanet/seed0`, and its label."""
    data = {"name": "fashion_coco", "img_size": 64, "train_images": 1, "test_images": 6}
    head = {"channels": 16, "convs": 1, "extra_levels": 0}
    tiny["defaults"]["model_args"] = {"stem_stride": 8}
    tiny["variants"] = [{"name": "id", "mixer": "identity", "label": "Identity"}]
    tiny["jobs"] = ["train", {"detect": {"detector": "retinanet", "dataset": data, "head": head}}]
    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph, lambda job: [])
    model = create_downstream(
        "retinanet",
        "lsnet_nano",
        num_classes=5,
        settings=RetinaNetSettings(**head),
        mixer="identity",
        stem_stride=8,
    )
    for job in graph.jobs:
        write_text(folder.job_folder(job.id) / "spec.json", job.model_dump_json())
        weights.save(folder.job_folder(job.id) / weights.WEIGHTS, model.state_dict())
    return folder


def test_a_detector_of_a_suite_looks_at_pictures_of_ones_own(found, own, results, call, tmp_path):
    words = ("detections", "id/retinanet/seed0", "--results", results, "-o", tmp_path, "--images")
    code, out, err = call("analyze", *words, own)
    assert (code, err) == (0, "")
    assert "detections|res=64|n=2|v1.1" in out
    with np.load(tmp_path / "detections.npz") as file:
        assert file["names"].tolist() == ["photo 0.png", "photo 1.png"]
    assert "Identity" in (tmp_path / "detections.svg").read_text()
    code, out, _ = call("analyze", *words, 3)
    assert "detections|test|res=64|n=3|v1.1" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("segmentation", "id/retinanet/seed0"),
            "expected a job of kind segment, found detect: id/retinanet",
        ),
        (("detections", "id/train/seed0"), "expected a job of kind detect, found train: id/train/seed0"),
        (("erf", "id/train/seed0", "--dataset", "fashion"), "--dataset: not with id/train/seed0"),
        (("detections", "id/retinanet/seed0", "--img-size", 96), "--img-size: not with id/retinanet/seed0"),
    ],
)
def test_a_job_of_another_kind_is_one_line(found, words, message, results, call):
    code, _, err = call("analyze", *words, "--results", results)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
