from lsbench.data.datasets.imagenet_a import DATASET, ImageNetASpec
from lsbench.data.imagenet.ilsvrc import class_list


def test_it_has_the_200_classes_of_timms_list(write_classes):
    root = write_classes("imagenet-a", class_list("imagenet_a_synsets.txt"))
    folders = DATASET.prepare(ImageNetASpec(), root)
    assert folders.split("test") == root / "imagenet-a"
    assert [folders.wnids[index] for index in folders.subset] == list(class_list("imagenet_a_synsets.txt"))
    assert (folders.subset[0], folders.subset[-1], len(folders.subset)) == (6, 988, 200)
    assert DATASET.num_images(ImageNetASpec(), "test") == 7_500
