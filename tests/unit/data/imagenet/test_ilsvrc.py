import random
from pathlib import Path

import pytest
import timm

from lsbench.core.errors import DataError
from lsbench.data.imagenet import ilsvrc
from lsbench.data.imagenet.ilsvrc import (
    check_classes,
    class_indices,
    class_list,
    find_splits,
    ilsvrc_titles,
    ilsvrc_wnids,
)

INFO = Path(timm.__file__).parent / "data" / "_info"


def test_the_class_list_is_that_of_ilsvrc():
    wnids = ilsvrc_wnids()
    assert len(wnids) == 1000
    assert (wnids[0], wnids[999]) == ("n01440764", "n15075141")
    assert list(wnids) == sorted(wnids)


@pytest.mark.parametrize("letter", ["a", "r"])
def test_the_200_classes_have_the_indices_that_timm_lists(letter):
    wnids = class_list(f"imagenet_{letter}_synsets.txt")
    listed = [int(line) for line in (INFO / f"imagenet_{letter}_indices.txt").read_text().split()]
    assert len(wnids) == 200
    assert list(class_indices(wnids)) == sorted(listed)
    assert [ilsvrc_wnids()[index] for index in listed] == list(wnids)


def test_indices_follow_the_wordnet_ids_in_whatever_order_they_are_asked():
    shuffled = random.Random(0).sample(class_list("imagenet_a_synsets.txt"), 200)
    for wnid, index in zip(shuffled, class_indices(shuffled), strict=True):
        assert ilsvrc_wnids()[index] == wnid


def test_a_missing_class_list_says_what_to_install(monkeypatch):
    with pytest.raises(DataError, match=r"at .*/no_such\.txt; install timm"):
        class_list("no_such.txt")
    monkeypatch.setattr(ilsvrc.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="install timm"):
        ilsvrc_wnids.__wrapped__.__globals__["timm_file"]("imagenet_synsets.txt")


EXPECTED = ("n1", "n2", "n3", "n4", "n5")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (["n1", "n2", "n3", "n4"], "expected the 5 folders in P, found 4: 1 missing (n5); do this"),
        (
            ["n1", "n2", "x", "n4"],
            "expected the 5 folders in P, found 4: 2 missing (n3, n5) and 1 unexpected (x); do this",
        ),
        (
            ["1", "n1"],
            "expected the 5 folders in P, found 2: 4 missing (n2, n3, n4, ...) and 1 unexpected (1); do this",
        ),
        (
            ["0", "1", "10", "2"],
            "expected the 5 folders in P under their WordNet ids, found 4 named by number (0, 1, 10, ...), "
            "which leaves their order open; do this",
        ),
        (
            [],
            "expected the 5 folders in P, found 0: 5 missing (n1, n2, n3, ...); do this",
        ),
    ],
)
def test_wrong_classes_are_named_in_one_line(found, message):
    with pytest.raises(DataError) as caught:
        check_classes(Path("P"), found, EXPECTED, what="folders", how="do this")
    assert str(caught.value) == message


def test_the_right_classes_pass_in_any_order():
    check_classes(Path("P"), EXPECTED[::-1], EXPECTED, what="folders", how="do this")


def test_where_no_split_is_there_it_says_which_were_expected(tmp_path):
    with pytest.raises(DataError, match=rf"in {tmp_path}/train and {tmp_path}/val, found neither; register"):
        find_splits(tmp_path, "folder", ("train", "val"))
    with pytest.raises(DataError, match=rf"in {tmp_path}/val, found nothing; store it as uncompressed"):
        find_splits(tmp_path, "wds", ("val",))


def test_each_class_has_a_name_of_its_own():
    titles = dict(zip(ilsvrc_wnids(), ilsvrc_titles(), strict=True))
    assert len(set(titles.values())) == 1000
    assert titles["n01440764"] == "tench"
    assert titles["n02012849"] == "crane (n02012849)"
