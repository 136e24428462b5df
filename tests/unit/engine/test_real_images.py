import torch

from lsbench.engine.real_images import real_images


def test_images_are_those_of_the_split_in_the_size_of_the_model():
    data = {"name": "fashion", "img_size": 8, "train_images": 40, "val_images": 20, "test_images": 20}
    test = real_images(data, None, "test", count=12, img_size=16)
    assert test.shape == (12, 3, 16, 16)
    assert test.dtype == torch.float32
    assert len({tuple(image.flatten().tolist()) for image in test}) == 12
    train = real_images(data, None, "train", count=12, img_size=16)
    assert not torch.equal(test, train)
    assert torch.equal(test, real_images(data, None, "test", count=12, img_size=16))


def test_without_the_data_they_are_embedded_ones(tmp_path):
    data = {"name": "imagenet", "img_size": 224}
    images = real_images(data, str(tmp_path / "nowhere"), "test", count=5, img_size=32)
    assert images.shape == (5, 3, 32, 32)
    assert images.std() > 0.1
