import pytest

from lsbench.core.errors import DataError
from lsbench.data.imagenet.c_conditions import condition_name, find_conditions
from lsbench.data.imagenet.ilsvrc import ilsvrc_wnids


def write_condition(place, first=0):
    for wnid in ilsvrc_wnids()[first:]:
        (place / wnid).mkdir(parents=True)
        (place / wnid / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"12")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two whole conditions, one that lacks a class, and one with an empty class folder."""
    root = tmp_path_factory.mktemp("imagenet-c")
    write_condition(root / "fog" / "1")
    write_condition(root / "noise" / "shot_noise" / "5")
    write_condition(root / "fog" / "2", first=1)
    write_condition(root / "snow" / "3")
    next((root / "snow" / "3" / "n01440764").iterdir()).unlink()
    (root / "fog" / "readme").mkdir()
    return root


def test_whole_conditions_are_found_in_both_layouts(root):
    conditions = find_conditions(root)
    assert conditions.places == {"fog/1": root / "fog/1", "shot_noise/5": root / "noise/shot_noise/5"}
    assert set(conditions.fingerprints) == set(conditions.places)
    assert all(len(value) == 64 for value in conditions.fingerprints.values())


def test_litter_of_an_archive_is_no_condition(tmp_path):
    for path in ("blur/fog/1", "__MACOSX/fog/1", "zoom/@eaDir/2"):
        (tmp_path / path).mkdir(parents=True)
    (found,) = find_conditions(tmp_path).broken.values()
    assert f"class folders in {tmp_path / 'blur/fog/1'}, found 0" in found


def test_every_condition_that_cannot_be_used_says_why_in_one_line(root):
    wanted = [condition_name("snow", 3), "fog/1", "fog/2", "frost/4"]
    problems = find_conditions(root).problems(wanted)
    assert list(problems) == ["snow/3", "fog/2", "frost/4"]
    assert "found none" in problems["snow/3"]
    assert "found 999: 1 missing (n01440764)" in problems["fog/2"]
    assert problems["frost/4"].startswith(f"expected ImageNet-C's images of frost/4 in {root}/frost/4, ")
    assert not any("\n" in line for line in problems.values())


def test_a_changed_condition_changes_its_own_fingerprint_alone(tmp_path):
    for severity in "12":
        write_condition(tmp_path / "fog" / severity)
    before = find_conditions(tmp_path).fingerprints
    photo = tmp_path / "fog/2/n01440764/ILSVRC2012_val_00000001.JPEG"
    photo.rename(photo.with_name("ILSVRC2012_val_00000002.JPEG"))
    after = find_conditions(tmp_path).fingerprints
    assert after["fog/1"] == before["fog/1"]
    assert after["fog/2"] != before["fog/2"]


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_no_condition_at_all_is_an_error(tmp_path, name):
    with pytest.raises(DataError, match=r"found no such folder; unpack blur\.tar"):
        find_conditions(tmp_path / name)
