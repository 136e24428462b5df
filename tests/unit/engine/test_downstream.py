from dataclasses import replace

import pytest
import torch

from lsbench.core.errors import ConfigError, StoreError
from lsbench.core.job import Job
from lsbench.data.detection.files import DetectionFiles
from lsbench.data.loading.keep_ratio import EvalBatch
from lsbench.data.segmentation.folders import LabelMapFolders
from lsbench.engine import weights
from lsbench.engine.downstream import create_own, open_own, predict_all, prepared_as
from lsbench.models.factory import create_model
from lsbench.testing.samples import context_of


@pytest.fixture
def context(prepare_scenes, tmp_path):
    """Return the context of a detect job with other settings and arguments of its model."""

    def make(model_args=None, **settings):
        folder = prepare_scenes("job", "detect")
        job = Job.model_validate_json((folder / "spec.json").read_text())
        args = {"stem_stride": 8, **(model_args or {})}
        variant = job.variant.model_copy(update={"model_args": args})
        job = job.model_copy(update={"spec": {**job.spec, **settings}, "variant": variant})
        return context_of(job, folder)

    return make


def trained(folder, *, stem_stride=8):
    """Leave the weights of a training of the backbone in a folder; return them."""
    torch.manual_seed(99)
    model = create_model("lsnet_nano", mixer="identity", num_classes=10, img_size=32, stem_stride=stem_stride)
    weights.save(folder / weights.WEIGHTS, model.state_dict())
    return model.state_dict()


def has_weights_of(model, state):
    """Return whether every weight of a backbone is that of a classifier."""
    own = {name.removeprefix("model."): value for name, value in model.backbone.state_dict().items()}
    return all(torch.equal(value, state[name]) for name, value in own.items())


def test_a_backbone_takes_the_weights_of_the_needed_training(context, tmp_path):
    state = trained(tmp_path / "train")
    with_need = replace(context(backbone_weights="train"), needs={"train": tmp_path / "train"})
    assert has_weights_of(create_own(with_need, 5), state)


def test_or_those_of_a_file_or_of_the_variants_arguments(context, tmp_path):
    state = trained(tmp_path)
    file = str(tmp_path / weights.WEIGHTS)
    assert has_weights_of(create_own(context(backbone_weights=file), 5), state)
    named = context(backbone_weights="pretrained", model_args={"checkpoint": file})
    assert has_weights_of(create_own(named, 5), state)
    alone = context(backbone_weights="none", model_args={"checkpoint": file})
    assert not has_weights_of(create_own(alone, 5), state)


def test_weights_that_are_not_there_are_told(context, tmp_path):
    with pytest.raises(ConfigError, match=r"id/detect/seed3: model 'lsnet_nano': no pretrained weights"):
        create_own(context(backbone_weights="pretrained"), 5)
    need = replace(context(backbone_weights="train"), needs={"train": tmp_path / "gone"})
    with pytest.raises(
        StoreError, match=r"no weights in .*gone.*; add a train job, or set `backbone_weights`"
    ):
        create_own(need, 5)


def test_weights_of_another_backbone_are_refused_in_one_line(context, tmp_path):
    trained(tmp_path, stem_stride=4)
    with pytest.raises(ConfigError, match=r"^id/detect/seed3: checkpoint '.*' does not fit") as error:
        create_own(context(backbone_weights=str(tmp_path / weights.WEIGHTS)), 5)
    assert "\n" not in str(error.value)


def test_the_sizes_of_the_head_are_those_of_the_settings(context):
    model = create_own(context(), 7)
    assert model.num_classes == 7
    assert model.neck.fpn_convs[0].out_channels == 16
    assert model.norm_eval


def test_data_of_another_task_is_refused(context):
    data = open_own(context())
    assert isinstance(prepared_as(DetectionFiles, data), DetectionFiles)
    with pytest.raises(ConfigError, match="expected a data set for segmentation, found 'fashion_coco'"):
        prepared_as(LabelMapFolders, data)


class Counter(torch.nn.Module):
    """Finds in each image the mean of its own part."""

    def predict(self, images, image_sizes, original_sizes):
        return [
            {"mean": image[..., :height, :width].mean()}
            for image, (height, width) in zip(images, image_sizes, strict=True)
        ]


class EvalBatches(list):
    paths = ("a", "b", "c")


def test_predictions_come_in_the_order_of_the_split():
    def batch(*indices):
        images = torch.stack([torch.full((3, 4, 4), float(index)) for index in indices])
        sizes = ((4, 4),) * len(indices)
        return EvalBatch(images, sizes, sizes, indices, tuple(str(index) for index in indices))

    seen = []
    batches = EvalBatches([batch(2, 0), batch(1)])
    found = predict_all(
        Counter(),
        batches,
        lambda one, target: (float(one["mean"]), target),
        device="cpu",
        on_batch=lambda *progress: seen.append(progress),
    )
    assert found == [(0.0, "0"), (1.0, "1"), (2.0, "2")]
    assert seen == [(2, 3), (3, 3)]
    with pytest.raises(ValueError, match="no image"):
        predict_all(Counter(), EvalBatches(), lambda one, target: one, device="cpu")
