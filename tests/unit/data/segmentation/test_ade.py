from lsbench.data.segmentation.ade import ADE_CLASSES, ADE_FOLDER, ADE_LAYOUT


def test_the_classes_are_the_published_ones():
    assert len(ADE_CLASSES) == len(set(ADE_CLASSES)) == 150
    assert ADE_CLASSES[:3] == ("wall", "building", "sky")
    assert ADE_CLASSES[7] == "bed ", "with a blank, as in the list of the checkpoints"
    assert ADE_CLASSES[149] == "flag"
    assert [name for name in ADE_CLASSES if name != name.strip()] == ["bed "]


def test_the_layout_is_the_published_one(tmp_path):
    assert ADE_FOLDER == "ADEChallengeData2016"
    assert ADE_LAYOUT.places(tmp_path, "train") == (
        tmp_path / "images" / "training",
        tmp_path / "annotations" / "training",
    )
