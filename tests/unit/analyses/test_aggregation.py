import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lsbench.analyses import ModelPanel, NotApplicableError, Subject
from lsbench.analyses.aggregation import ANALYSIS, accumulate, compose, overlap
from lsbench.models.factory import create_model


def create_subject(mixer, masks=None):
    torch.manual_seed(0)
    model = create_model("lsnet_nano", mixer=mixer, num_classes=3, img_size=32).eval()
    pictures = np.zeros((3, 32, 32, 3), dtype=np.float32)
    return Subject(model, torch.randn(3, 3, 32, 32), pictures, masks, batch_size=2)


def test_each_place_collects_what_all_positions_give_it():
    weights = torch.randn(2, 2 * 9, 4, 5)
    expected = torch.zeros(2, 4, 5)
    by_group = weights.view(2, 2, 9, 4, 5).abs().sum(dim=1)
    for row in range(4):
        for col in range(5):
            for tap in range(9):
                y, x = row + tap // 3 - 1, col + tap % 3 - 1
                if 0 <= y < 4 and 0 <= x < 5:
                    expected[:, y, x] += by_group[:, tap, row, col]
    torch.testing.assert_close(accumulate(weights, groups=2), expected)


def test_overlap_by_hand():
    weights = np.array([[[3.0, 1.0], [0.0, 0.0]]])
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :2, :2] = True
    assert overlap(weights, mask) == pytest.approx([0.75])
    mask[0, :2, 2:] = True
    assert overlap(weights, mask) == pytest.approx([1.0])
    even = np.ones((1, 3, 3))
    assert overlap(even, mask[:, :3, :3]) == pytest.approx([mask[:, :3, :3].mean()])


@pytest.mark.parametrize("mixer", ["ls_conv", "without_lkp", "involution"])
def test_weights_are_those_of_the_last_mixer_of_stage_3(mixer):
    masks = np.ones((3, 32, 32), dtype=bool)
    subject = create_subject(mixer, masks)
    found = ANALYSIS.analyse(subject)
    seen = []
    last = [block.mixer for block in subject.model.blocks3 if hasattr(block, "mixer")][1::2][-1]
    source = last.lkp if hasattr(last, "lkp") else last.module.span
    source.register_forward_hook(lambda module, given, out: seen.append(out))
    with torch.no_grad():
        subject.model(subject.images)
    groups = getattr(last, "groups", None) or last.module.groups
    expected = accumulate(seen[0], groups).double().numpy()
    assert found.arrays["weights"] == pytest.approx(expected, rel=1e-4)
    assert found.per_image["aggregation_overlap"] == pytest.approx(np.ones(3))


def test_without_masks_there_is_no_overlap():
    assert set(ANALYSIS.analyse(create_subject("ls_conv")).per_image) == {"aggregation_entropy"}


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda: create_subject("rep_mixer"), "RepMixer predicts no weights"),
        (
            lambda: Subject(torch.nn.Identity(), torch.zeros(1, 3, 8, 8), np.zeros((1, 8, 8, 3))),
            "take an LSNet",
        ),
    ],
)
def test_a_model_without_such_weights_is_refused_in_one_line(create, message):
    with pytest.raises(NotApplicableError, match=message):
        ANALYSIS.analyse(create())


def arrays_of(factor, *, image=0.5, **more):
    weights = np.arange(1.0, 25.0).reshape(6, 2, 2) ** factor
    return {"weights": weights, "pictures": np.full((2, 8, 8, 3), image), **more}


def rows_of(figure):
    """Return label -> the maps of a row; each image has three colours."""
    rows = figure.axes[0].get_gridspec().nrows
    starts = [axes for axes in figure.axes[:-1] if axes.get_subplotspec().colspan.start == 0][:rows]
    return [(axes.get_ylabel(), axes.images[0].get_array()) for axes in starts]


def test_models_side_by_side_share_the_images_and_one_scale():
    figure = Figure()
    compose([ModelPanel("A", arrays_of(1)), ModelPanel("B", arrays_of(2), is_random=True)], figure)
    assert [(label.split(), shown.ndim) for label, shown in rows_of(figure)] == [
        (["image"], 3),
        (["A"], 2),
        (["B", "(random", "weights)"], 2),
    ]
    maps = [image for axes in figure.axes[2:6] for image in axes.images]
    [scale] = {image.get_clim() for image in maps}
    values = np.stack([image.get_array() for image in maps])
    assert scale == (values.min(), values.max())
    assert np.allclose(values.mean(axis=(1, 2)), 1)
    assert figure.axes[-1].get_ylabel() == "weight / mean of the map"


def test_models_of_other_images_have_rows_of_their_own_images():
    figure = Figure()
    compose([ModelPanel("A", arrays_of(1)), ModelPanel("B", arrays_of(1, image=0.1))], figure)
    assert [label for label, _ in rows_of(figure)] == ["image", "A", "image", "B"]


def test_the_images_are_spread_over_the_sample_and_those_of_earlier_results_are_the_first():
    arrays = ANALYSIS.analyse(create_subject("ls_conv")).arrays
    assert arrays["shown"].tolist() == [0, 1, 2]
    for shown, more in ((slice(0, 2), {}), ([1, 5], {"shown": np.array([1, 5])})):
        arrays, figure = arrays_of(1, **more), Figure()
        compose([ModelPanel("A", arrays)], figure)
        drawn = [axes.images[0].get_array() for axes in figure.axes[2:4]]
        expected = [one / one.mean() for one in arrays["weights"][shown]]
        assert np.allclose(drawn, expected)


def test_objects_are_outlined_where_they_are_known():
    masks = np.zeros((6, 8, 8), dtype=bool)
    masks[:, 2:5, 2:5] = True
    figure = Figure()
    compose([ModelPanel("A", arrays_of(1, masks=masks))], figure)
    assert all(len(axes.collections) == 1 for axes in figure.axes[:4])
    assert figure.get_supxlabel() == "white line: outline of the object"
