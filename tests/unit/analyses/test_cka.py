import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from lsbench.analyses import ModelPanel, NotApplicableError, Subject
from lsbench.analyses.cka import ANALYSIS, compose, hsic
from lsbench.models.factory import create_model
from lsbench.models.observation import layers_of


def unbiased_hsic(k, l):  # noqa: E741
    """Song et al. 2012, equation 5, with loops over matrices of ones."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = np.ones((n, 1))
    first = np.trace(k @ l)
    second = (one.T @ k @ one).item() * (one.T @ l @ one).item() / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one.T @ k @ l @ one).item()
    return (first + second - third) / (n * (n - 3))


def features(seed, n=8, width=5):
    return np.random.default_rng(seed).normal(size=(n, width))


def test_hsic_is_the_formula():
    x, y = features(0), features(1, width=3)
    found = hsic(torch.tensor(x @ x.T), torch.tensor(y @ y.T))
    assert found.item() == pytest.approx(unbiased_hsic(x @ x.T, y @ y.T))


def test_hsic_of_independent_features_is_zero_on_average():
    values = []
    for seed in range(300):
        x, y = features(2 * seed), features(2 * seed + 1)
        values.append(hsic(torch.tensor(x @ x.T), torch.tensor(y @ y.T)).item())
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)


def create(seed, mixer="ls_conv"):
    torch.manual_seed(seed)
    return create_model("lsnet_nano", mixer=mixer, num_classes=3, img_size=32).eval()


def subject(model, other=None, images=10, batch_size=5):
    batch = torch.randn(images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    pictures = np.zeros((images, 32, 32, 3), dtype=np.float32)
    return Subject(model, batch, pictures, batch_size=batch_size, other=other)


def test_alignment_of_two_models_is_the_quotient_of_means_over_batches():
    one, two = create(0), create(1, "rep_mixer")
    given = subject(one, two)
    found = ANALYSIS.analyse(given).arrays["cka"]
    outputs = []
    for model in (one, two):
        seen = {}
        for name, layer in layers_of(model).items():
            layer.register_forward_hook(lambda m, i, out, name=name, seen=seen: seen.setdefault(name, out))
        with torch.no_grad():
            model(given.images)
        outputs.append([out.flatten(1).double().numpy() for out in seen.values()])
    sums = np.zeros(3)
    x, y = outputs[0][0], outputs[1][2]
    for rows in (slice(0, 5), slice(5, 10)):
        k, l = x[rows] @ x[rows].T, y[rows] @ y[rows].T  # noqa: E741
        sums += unbiased_hsic(k, l), unbiased_hsic(k, k), unbiased_hsic(l, l)
    assert found[0, 2] == pytest.approx(sums[0] / np.sqrt(sums[1] * sums[2]), rel=1e-4)


def test_a_model_is_aligned_with_itself():
    model = create(0)
    within, twin = ANALYSIS.analyse(subject(model)), ANALYSIS.analyse(subject(model, model))
    assert np.diagonal(within.arrays["cka"]) == pytest.approx(1)
    assert within.arrays["cka"] == pytest.approx(within.arrays["cka"].T)
    assert twin.numbers["cka_same_depth"] == pytest.approx(1)
    off = ~np.eye(len(within.arrays["cka"]), dtype=bool)
    assert within.numbers == {"cka_mean": pytest.approx(within.arrays["cka"][off].mean())}


def test_too_few_images_are_refused():
    with pytest.raises(NotApplicableError, match="at least 4 images"):
        ANALYSIS.analyse(subject(nn.Identity(), images=3))


def test_matrices_side_by_side_have_one_scale_and_name_only_layers_that_have_room():
    names = np.array([f"blocks{n}" for n in range(60)])
    arrays = {"cka": np.eye(60) - 0.1, "layers": names, "other_layers": names, "other": np.array("B")}
    figure = Figure()
    compose([ModelPanel("A", arrays), ModelPanel("B", {**arrays, "cka": np.eye(60)})], figure)
    first, second, bar = figure.axes
    assert first.images[0].get_clim() == second.images[0].get_clim() == (0, 1)
    shown = [text.get_text() for text in first.get_yticklabels()]
    assert 2 < len(shown) < 20
    assert set(shown) < set(names)
    labels = first.get_xlabel(), first.get_ylabel(), bar.get_ylabel()
    assert labels == ("layers of B", "layers of A", "linear CKA")
