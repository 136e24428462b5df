import json
import shutil

import pytest
from PIL import Image

from lsbench.cli.main import run_command


@pytest.fixture
def call(capsys):
    """Run a verb of ``lsbench data``; return exit code, stdout and stderr."""

    def run(*arguments):
        code = run_command(["data", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def pets(tmp_path):
    for wnid, colour in (("cat", 10), ("dog", 200)):
        (tmp_path / "pets" / "val" / wnid).mkdir(parents=True)
        Image.new("RGB", (40, 50), (colour, 0, 0)).save(tmp_path / "pets" / "val" / wnid / "1.png")
    return tmp_path / "pets"


def test_a_generated_data_set_is_written_as_folders_and_looked_at_there(call, tmp_path):
    small = ("--set", "images_per_class=5")
    code, out, _ = call("write", "fashion_renditions", tmp_path / "new" / "renditions", *small)
    assert (code, out) == (0, f"fashion_renditions: 30 test images in {tmp_path / 'new' / 'renditions'}\n")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["renditions"]
    folders = sorted((tmp_path / "new" / "renditions").iterdir())
    assert [len(list(folder.iterdir())) for folder in folders] == [5] * 6

    code, out, _ = call("check", "fashion_renditions", *small)
    assert code == 0
    assert "6 classes (models know 10)" in out
    assert "ok   pixels: 56x56 to 56x56, median 56x56" in out
    _, here, _ = call("check", "fashion_renditions", *small, "--json")
    _, there, _ = call("check", "fashion_renditions", tmp_path / "new" / "renditions", "--json")
    assert json.loads(here)["sha256"] == json.loads(there)["sha256"]

    shutil.rmtree(folders[0])
    (folders[1] / "00000.png").write_bytes(b"nothing")
    code, out, _ = call("check", "fashion_renditions", tmp_path / "new" / "renditions")
    assert code == 2
    assert f"note test: no image of {folders[0].name}" in out
    assert f"BAD  expected a readable image at {folders[1] / '00000.png'}, found: cannot" in out


def test_all_splits_of_a_data_set_are_written(call, tmp_path):
    settings = [x for split in ("train", "val", "test") for x in ("--set", f"{split}_images=10")]
    code, out, _ = call("write", "fashion", tmp_path / "fashion", *settings)
    assert (code, out) == (0, f"fashion: 10 train, 10 val, 10 test images in {tmp_path / 'fashion'}\n")
    assert len(list((tmp_path / "fashion").glob("*/*/*.png"))) == 30
    assert call("check", "image_folder", tmp_path / "fashion")[0] == 0


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("fashion_coco", "annotations/instances_val2017.json"),
        ("fashion_ade", "annotations/validation/ADE_val_00000001.png"),
    ],
)
def test_scenes_with_boxes_or_label_maps_are_written_in_the_published_layout(call, tmp_path, name, place):
    settings = ("--set", "train_images=3", "--set", "test_images=2")
    code, out, _ = call("write", name, tmp_path / "scenes", *settings)
    assert (code, out) == (0, f"{name}: 3 train, 2 val images in {tmp_path / 'scenes'}\n")
    assert (tmp_path / "scenes" / place).is_file()
    _, here, _ = call("check", name, *settings, "--json")
    code, there, _ = call("check", name, tmp_path / "scenes", *settings, "--json")
    assert code == 0
    assert json.loads(here)["sha256"] == json.loads(there)["sha256"]
    code, out, _ = call("check", name, tmp_path / "nowhere", *settings)
    assert code == 2
    (tmp_path / "scenes" / place).unlink()
    assert call("check", name, tmp_path / "scenes", *settings)[0] == 2


def test_ones_own_boxes_are_checked(call, tmp_path):
    assert (
        call("write", "fashion_coco", tmp_path / "own", "--set", "train_images=3", "--set", "test_images=2")[
            0
        ]
        == 0
    )
    places = ("--set", "annotations=annotations/instances_<split>2017.json", "--set", "images=<split>2017")
    code, out, _ = call("check", "coco_json", tmp_path / "own", *places)
    assert code == 0
    assert "ok   coco_json: 5 classes in" in out or "(models know 5)" in out
    assert "objects in 3 images, 0 of them crowds" in out
    code, out, _ = call("check", "semantic_png", tmp_path / "own", "--set", "classes=[a, b]")
    assert code == 2
    assert "BAD  expected images in" in out


def test_a_folder_that_holds_something_is_left_alone(call, tmp_path):
    (tmp_path / "mine.txt").write_text("dear")
    code, _, err = call("write", "fashion_hard", tmp_path, "--set", "images_per_class=1")
    assert code == 2
    assert err == f"lsbench: expected a new or empty folder, found files in {tmp_path}; name another\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_ones_own_folder_is_looked_at(call, pets):
    code, out, err = call("check", "image_folder", pets, "--all", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert (report["images"], report["looked_at"], report["problems"]) == ({"val": 2}, 2, [])
    (pets / "val" / "dog" / "1.png").write_bytes(b"")
    code, out, _ = call("check", "image_folder", pets)
    assert code == 2
    assert "ok   images: val 2" in out
    assert "BAD  expected a readable image at" in out


def test_missing_data_says_how_to_get_it(call, tmp_path):
    code, out, _ = call("check", "imagenet", "--data", tmp_path)
    assert code == 2
    assert out.startswith(f"BAD  expected ImageNet-1K in {tmp_path / 'imagenet' / 'train'}")
    assert "register at image-net.org" in out
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "fashin"), "unknown data set 'fashin' (did you mean 'fashion'?)"),
        (("check", "image_folder"), "expected the folder of the data set: `lsbench data check image_folder"),
        (("check", "fashion", "--set", "trian_images=10"), "--set: trian_images: unknown key (did you mean"),
        (("check", "fashion", "--set", "img_size=x"), "--set: img_size: input should be a valid integer"),
        (("check", "fashion", "--set", "img_size"), "--set img_size: expected KEY=VALUE"),
        (
            ("write", "imagenet", "x"),
            "expected a data set that lsbench generates, found one of your own files",
        ),
        (
            ("check", "fashion_hard", "nowhere", "--set", "images_per_class=1"),
            "lsbench data write fashion_hard",
        ),
    ],
)
def test_mistakes_are_answered_in_one_line(call, arguments, message):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
