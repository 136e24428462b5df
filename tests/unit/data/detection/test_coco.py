from torchvision.models.detection import RetinaNet_ResNet50_FPN_Weights

from lsbench.data.detection.coco import COCO_IDS, COCO_LAYOUT, COCO_NAMES, GAPS


def test_the_categories_are_the_published_ones():
    names = RetinaNet_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    assert [names[number] for number in COCO_IDS] == list(COCO_NAMES)
    assert {number for number in range(1, 91) if names[number] == "N/A"} == GAPS
    assert (len(COCO_IDS), COCO_IDS[0], COCO_IDS[-1]) == (80, 1, 90)


def test_the_layout_is_the_published_one(tmp_path):
    file, folder = COCO_LAYOUT.places(tmp_path, "train")
    assert file == tmp_path / "annotations" / "instances_train2017.json"
    assert folder == tmp_path / "train2017"
