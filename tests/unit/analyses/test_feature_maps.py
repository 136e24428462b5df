import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lsbench.analyses import ModelPanel, NotApplicableError, Subject
from lsbench.analyses._maps import entropy
from lsbench.analyses.feature_maps import ANALYSIS, compose
from lsbench.models.factory import create_model
from lsbench.models.observation import mixers_of
from lsbench.models.perception import aggregate


def create_subject(mixer):
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer=mixer, num_classes=3, img_size=32).eval()
    pictures = np.zeros((3, 32, 32, 3), dtype=np.float32)
    return Subject(model, torch.randn(3, 3, 32, 32), pictures, batch_size=2)


def test_they_are_those_of_the_first_stage_computed_anew():
    subject = create_subject("ls_conv")
    found = ANALYSIS.analyse(subject)
    _, mixer = next(iter(mixers_of(subject.model).values()))
    given = []
    mixer.register_forward_hook(lambda module, args, out: given.append(args[0]))
    with torch.no_grad():
        subject.model(subject.images)
        ska = aggregate(given[0], mixer.lkp(given[0]), mixer.groups).abs().mean(dim=1)
        lkp = mixer.lkp.cv2(torch.relu(mixer.lkp.cv1(given[0]))).abs().mean(dim=1)
    assert found.arrays["ska"] == pytest.approx(ska.numpy(), rel=1e-4)
    assert found.arrays["lkp"] == pytest.approx(lkp.numpy(), rel=1e-4)
    assert found.per_image["ska_map_entropy"] == pytest.approx(entropy(found.arrays["ska"]))


def test_a_mixer_without_perception_is_refused():
    with pytest.raises(NotApplicableError, match="ls_conv or without_lkp"):
        ANALYSIS.analyse(create_subject("cga"))


def test_each_model_has_a_column_for_either_map_on_one_scale():
    rng = np.random.default_rng(0)

    def panel(title, size):
        maps = {name: rng.random((5, 3, 3)) * size for name in ("lkp", "ska")}
        return ModelPanel(title, {**maps, "pictures": np.zeros((2, 8, 8, 3)), "shown": np.array([0, 4])})

    figure = Figure()
    compose([panel("A", 1.0), panel("B", 100.0)], figure)
    every = np.array(figure.axes[:-1]).reshape(2, 5)
    assert [axes.get_title() for axes in every[0]] == ["image", "A\nLKP", "A\nSKA", "B\nLKP", "B\nSKA"]
    maps = [axes.images[0] for axes in every[:, 1:].flat]
    assert len({image.get_clim() for image in maps}) == 1
    assert max(image.get_array().max() for image in maps) == maps[0].get_clim()[1] < 10
    assert figure.axes[-1].get_ylabel() == "|feature| / mean of the map"
