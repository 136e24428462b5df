from types import SimpleNamespace

import pytest
import torch

from lsbench.core.errors import ConfigError
from lsbench.engine.classify import create_eval_batches
from lsbench.engine.in_runtime import DeployedModel, LogitGap, calibration_images, deployed
from lsbench.engine.open_data import OpenData
from lsbench.engine.runtime_spec import RuntimeSpec
from lsbench.runtimes import Prepared

STATIC = {"runtime": "onnxruntime", "precision": "int8", "calibration_images": 20}


def create_context(folder, **settings):
    return SimpleNamespace(spec=RuntimeSpec(batch_size=4, **settings), folder=folder, device="cpu")


def test_small_batches_are_filled_up_with_their_own_images():
    shapes = []

    def run(images):
        shapes.append(len(images))
        return images.flatten(1).sum(1, keepdim=True) + images.max()

    model = DeployedModel(Prepared(run, lambda images: images, {"load": 1.0}), 5)
    images = torch.rand(2, 3, 4, 4)
    assert torch.equal(model(images), images.flatten(1).sum(1, keepdim=True) + images.max())
    assert model(torch.rand(5, 3, 4, 4)).shape == (5, 1)
    assert shapes == [5, 5]


def test_the_difference_of_logits_is_relative_and_never_hides_what_is_no_number():
    gap = LogitGap()
    gap.add([torch.tensor([[2.0, -8.0]]), torch.tensor([[2.0, -8.5]])])
    gap.add([torch.tensor([[10.0]]), torch.tensor([[10.0]])])
    assert gap.value == 0.05
    gap.add([torch.tensor([[torch.nan]]), torch.tensor([[10.0]])])
    gap.add([torch.tensor([[1.0]]), torch.tensor([[1.0]])])
    assert gap.value is None


def test_the_trained_form_is_the_model_itself(tmp_path):
    model, context = torch.nn.Linear(1, 1), create_context(tmp_path)
    with deployed(context, model, 8, pytest.fail) as ran:
        assert ran is model


def test_a_form_that_is_not_the_trained_one_is_a_copy_and_leaves_nothing_behind(tmp_path):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 3)).eval()
    images, context = torch.rand(2, 3, 8, 8), create_context(tmp_path, precision="bf16")
    with torch.inference_mode(), deployed(context, model, 8, pytest.fail) as ran:
        found, expected = ran(images), model(images)
    assert found.dtype == expected.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.05
    assert set(ran.seconds) == {"load", "first pass"}
    assert not list(tmp_path.iterdir())


def test_a_program_is_removed_even_if_what_runs_it_fails(tmp_path):
    model, context = torch.nn.Flatten(), create_context(tmp_path, precision="bf16")

    def fail():
        with deployed(context, model, 8, pytest.fail):
            assert len(list(tmp_path.iterdir())) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_runtime_that_cannot_be_used_here_is_named(tmp_path):
    context = create_context(tmp_path, runtime="tensorrt")
    with (
        pytest.raises(ConfigError, match="tensorrt runs on a GPU, not on a CPU"),
        deployed(context, torch.nn.Linear(1, 1), 8, pytest.fail),
    ):
        pytest.fail("it was prepared")


def test_calibration_images_are_drawn_from_the_training_split_by_their_seed():
    settings = {"name": "fashion", "img_size": 16, "train_images": 50, "val_images": 10, "test_images": 10}
    data = OpenData(settings, None)
    spec = RuntimeSpec(**STATIC)
    found = calibration_images(spec, data, None, img_size=16)
    assert found.shape == (20, 3, 16, 16)
    (every, _), *_ = create_eval_batches(data, "train", batch_size=50, workers=0)
    places = [int((every == image).flatten(1).all(1).nonzero()[0]) for image in found]
    assert len(set(places)) == 20
    assert places != list(range(20))
    assert torch.equal(calibration_images(spec, data, None, img_size=16), found)
    other = spec.model_copy(update={"calibration_seed": 1})
    assert not torch.equal(calibration_images(other, data, None, img_size=16), found)
    all_of_them = spec.model_copy(update={"calibration_images": 64})
    assert torch.equal(calibration_images(all_of_them, data, None, img_size=16), every)
