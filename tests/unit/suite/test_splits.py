import pytest

from lsbench.suite.loader import load_suite
from lsbench.suite.parsed import parsed_once
from lsbench.suite.splits import Use, data_uses, missing_splits, uses_of


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two classes of one file each, in ``train`` alone."""
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b"):
        folder = tmp_path / "own" / "train" / name
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(b"1")
    return tmp_path / "own"


def missing(root, kind="evaluate", **settings):
    own = {"name": "image_folder", "root": str(root), "img_size": 32}
    return missing_splits([Use("ls/job", kind, settings, own)], None)


@pytest.mark.parametrize(
    ("kind", "settings", "split"),
    [
        ("evaluate", {}, "test"),
        ("evaluate", {"split": "val"}, "val"),
        ("train", {}, "val"),
        ("analyze", {"split": "val"}, "val"),
        ("robustness", {}, "test"),
        ("robustness", {"protocol": "files"}, "test"),
    ],
)
def test_a_split_that_a_job_reads_is_looked_for(root, kind, settings, split):
    (line,) = missing(root, kind, **settings)
    assert line.startswith(f"ls/job: expected a '{split}' split in {root}, found: train; add the folder ")


def test_splits_that_are_there_are_not_told(root):
    assert missing(root, split="train") == []
    assert missing(root, "profile") == []
    (root / "train").rename(root / "valid")
    assert missing(root) == missing(root, split="val") == []
    assert [line.split("'")[1] for line in missing(root, "train")] == ["train"]


def test_the_splits_of_another_data_set_are_looked_for_there(root):
    other = {"name": "image_folder", "root": str(root.parent / "other")}
    (root.parent / "other" / "test" / "a").mkdir(parents=True)
    assert missing(root, on=other) == []
    (line,) = missing(root, on=other, split="val")
    assert f"expected a 'val' split in {root.parent / 'other'}, found: test" in line
    assert missing(root, on="fashion") == []


def test_data_that_is_absent_is_told_elsewhere_and_twice_is_once(root):
    assert missing(root / "nowhere") == []
    use = Use("ls/job", "evaluate", {}, {"name": "image_folder", "root": "own", "img_size": 32})
    (line,) = missing_splits([use, use._replace(label="id/job")], root.parent)
    assert line.startswith("ls/job: ")


def test_the_jobs_of_a_suite_use_all_splits_that_they_read(root, tiny, write_suite):
    tiny["defaults"]["dataset"] = {"name": "image_folder", "root": str(root), "img_size": 32}
    suite = load_suite(write_suite(tiny))
    told = missing_splits(uses_of(suite), None)
    assert [line.split(":")[0] for line in told] == ["ls/train", "ls/evaluate"]
    assert [line.split("'")[1] for line in told] == ["val", "test"]


def test_each_way_in_which_jobs_read_data_of_the_users_is_there_once(tiny, make_graph, tmp_path):
    boxes, photos = ({"name": name, "root": str(tmp_path)} for name in ("coco_json", "image_folder"))
    masks = {"name": "masks", "detector": "maskrcnn", "dataset": boxes}
    tiny["defaults"]["model_args"] = {"stem_stride": 8}
    tiny["jobs"] = ["train", {"evaluate": {"on": photos}}, {"detect": {"dataset": boxes}}, {"detect": masks}]
    found = data_uses(parsed_once(make_graph({**tiny, "seeds": [0, 1]}, data_root=tmp_path).jobs))
    assert [(one.label, one.settings["name"], one.splits, one.masks) for one in found] == [
        ("ls/evaluate/seed0", "image_folder", ("test",), False),
        ("ls/detect/seed0", "coco_json", ("train", "val", "test"), False),
        ("ls/masks/seed0", "coco_json", ("train", "val", "test"), True),
    ]
    assert {one.data_root for one in found} == {str(tmp_path)}
