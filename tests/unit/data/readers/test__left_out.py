import pytest

from lsbench.data.readers._left_out import LeftOut, litter_in


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("train/.ipynb_checkpoints/1.jpg", ".ipynb_checkpoints"),
        ("cat/@eaDir/1.jpg/SYNOPHOTO.jpg", "@eaDir"),
        ("__MACOSX/cat/._1.jpg", "__MACOSX"),
        ("cat/._1.jpg", "._1.jpg"),
        (".DS_Store", ".DS_Store"),
        ("cat/thumbs.DB", "thumbs.DB"),
        ("./cat/1.jpg", None),
        ("../cat/1.jpg", None),
        ("/data/cat/1.v2.jpg", None),
        ("thumbs/desktop.jpg", None),
    ],
)
def test_litter_is_known_by_any_part_of_a_path(path, name):
    assert litter_in(path) == name


def test_counts_are_by_name_and_by_ending():
    found, more = LeftOut(), LeftOut()
    for name in ("._1.jpg", "._2.jpg", "@eaDir"):
        found.add_litter(name)
    for name in ("a.GIF", "b.gif", "README"):
        more.add_skipped(name)
    found.add(more)
    assert found.litter == {"._*": 2, "@eaDir": 1}
    assert found.skipped == {".gif": 2, "README": 1}
    assert LeftOut.from_json(found.to_json()) == found
