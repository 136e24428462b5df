import copy
import gc

import pytest
import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from timm.layers.std_conv import ScaledStdConv2d
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from lsbench.models.conv_norm_pairs import ConvNormPairs, find_pairs
from lsbench.models.tracing import one_node

SAME = {"in_channels": 4, "out_channels": 4, "kernel_size": 1}


class Two(nn.Module):
    """A convolution and a normalisation, used as `use` says."""

    def __init__(self, use, conv=None, bn=None):
        super().__init__()
        self.conv, self.bn = conv or nn.Conv2d(4, 4, 1), bn or nn.BatchNorm2d(4)
        self.use = use

    def forward(self, x):
        return self.use(self, x)


def used(use, **modules):
    return find_pairs(Two(use, **modules))


def one_after_the_other(own, x):
    return own.bn(own.conv(x))


PAIR = ConvNormPairs({"conv": "bn"}, frozenset())
LEFT = ConvNormPairs({}, frozenset({"bn"}))


def through_a_relu(own, x):
    return own.bn(own.conv(x).relu())


def of_two_inputs(own, x):
    return own.bn(own.conv(x) + x)


def in_any_shape(own, x):
    y = own.conv(x)
    torch._assert(y.ndim == 4, "images")
    return own.bn(y).reshape(y.size(0), -1)


@pytest.mark.parametrize("use", [one_after_the_other, in_any_shape])
def test_a_norm_that_alone_sees_a_convolution_is_its_pair(use):
    assert used(use) == PAIR


@pytest.mark.parametrize("use", [through_a_relu, of_two_inputs, lambda own, x: own.bn(x) + own.conv(x)])
def test_a_norm_after_something_else_is_nothing_to_fold(use):
    assert used(use) == ConvNormPairs()


def also_added(own, x):
    y = own.conv(x)
    return own.bn(y) + y


def changed_in_place_first(own, x):
    y = own.conv(x)
    y.mul_(2)
    return own.bn(y)


def also_returned(own, x):
    y = own.conv(x)
    return own.bn(y), y


def convolved_twice(own, x):
    return own.bn(own.conv(own.conv(x)))


def normalised_twice(own, x):
    return own.bn(own.bn(own.conv(x)))


def weight_read(own, x):
    return own.bn(own.conv(x)) * own.conv.weight.mean()


def function_read(own, x):
    return own.bn(nn.functional.conv2d(x, own.conv.weight))


@one_node
def both(x, conv, bn):
    return bn(conv(x))


def passed_on(own, x):
    return own.bn(own.conv(both(x, own.conv, own.bn)))


def branching(own, x):
    y = own.conv(x)
    return own.bn(y) if y.mean() > 0 else y


@pytest.mark.parametrize(
    "use",
    [
        also_added,
        changed_in_place_first,
        also_returned,
        convolved_twice,
        normalised_twice,
        weight_read,
        function_read,
        passed_on,
        branching,
    ],
)
def test_what_others_see_or_what_cannot_be_read_is_left(use):
    assert used(use) == LEFT


@pytest.mark.parametrize(
    "modules",
    [
        {"conv": ScaledStdConv2d(4, 4, 1)},
        {"conv": weight_norm(nn.Conv2d(4, 4, 1))},
        {"conv": nn.ConvTranspose2d(4, 4, 1)},
        {"bn": nn.BatchNorm2d(4, track_running_stats=False)},
    ],
)
def test_modules_that_compute_something_else_are_left(modules):
    assert used(one_after_the_other, **modules) == LEFT


@pytest.mark.parametrize(
    "modules",
    [
        {"conv": Conv2dSame(4, 4, 3, stride=2)},
        {"bn": BatchNormAct2d(4)},
        {"bn": nn.BatchNorm2d(4, affine=False)},
        {"conv": nn.Conv1d(**SAME), "bn": nn.BatchNorm1d(4)},
        {"conv": nn.Conv3d(**SAME), "bn": nn.BatchNorm3d(4)},
    ],
)
def test_every_plain_convolution_and_norm_makes_a_pair(modules):
    assert used(one_after_the_other, **modules) == PAIR


def test_hooks_see_what_goes_by():
    for name in ("conv", "bn"):
        model = Two(one_after_the_other)
        model.get_submodule(name).register_forward_hook(lambda *_: None)
        assert find_pairs(model) == LEFT


class Odd(nn.Module):
    """Code that looks into its input, around code that does not."""

    def __init__(self):
        super().__init__()
        self.inner = Two(one_after_the_other)

    def forward(self, x):
        return self.inner(x) if x.sum() > 0 else x


def test_what_cannot_be_read_hides_what_is_inside_and_nothing_else():
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), Odd(), nn.BatchNorm2d(4))
    assert find_pairs(model) == ConvNormPairs({"0": "1"}, frozenset({"2.inner.bn", "3"}))
    assert find_pairs(Odd()) == ConvNormPairs({}, frozenset({"inner.bn"}))


def test_pairs_are_found_across_modules_and_past_identities():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Identity()), nn.Dropout(), nn.BatchNorm2d(4))
    assert find_pairs(model) == ConvNormPairs({"0.0": "2"}, frozenset())


class Slicing(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers[2:](self.layers[:2](x))


def test_slices_of_a_sequence_are_read():
    model = Slicing(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    assert find_pairs(model) == ConvNormPairs({"layers.0": "layers.1"}, frozenset())


def test_what_is_closed_is_not_looked_into():
    model = nn.Sequential(Two(one_after_the_other), nn.BatchNorm2d(4))
    assert find_pairs(model, ["0"]) == ConvNormPairs()


class Keeping(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.kept = Two(one_after_the_other), None

    def forward(self, x):
        self.kept = self.inner(x)
        return self.kept


def test_nothing_of_it_stays_in_the_model():
    model = Keeping().train()
    before = copy.deepcopy(model.state_dict())
    assert find_pairs(model) == ConvNormPairs({"inner.conv": "inner.bn"}, frozenset())
    assert model.kept is None
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_without_norms_is_not_run():
    assert find_pairs(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())) == ConvNormPairs()


def keeps_it(own, x):
    own.kept = own.conv(x)
    return own.bn(own.kept)


def keeps_it_deep_inside(own, x):
    own.kept = {"maps": [own.conv(x)]}
    return own.bn(own.kept["maps"][0])


def lists_it(own, x):
    y = own.conv(x)
    LISTED.append(y)
    return own.bn(y)


LISTED = []


@pytest.mark.parametrize("use", [keeps_it, keeps_it_deep_inside, lists_it])
def test_an_output_that_a_model_keeps_is_left(use):
    assert used(use) == LEFT


def turns_in_a_circle(own, x):
    y = own.conv(x)
    circle = {"y": y}
    circle["itself"] = circle
    return own.bn(y)


@pytest.mark.parametrize("collects", [True, False])
def test_an_output_that_is_only_left_in_a_cycle_is_found_without_a_look_at_all_objects(collects):
    generations = []

    def note(phase, info):
        generations.append(info["generation"])

    (gc.enable if collects else gc.disable)()
    gc.callbacks.append(note)
    try:
        found = used(turns_in_a_circle)
        assert gc.isenabled() == collects
    finally:
        gc.callbacks.remove(note)
    assert found != LEFT
    assert generations
    assert 2 not in generations


@pytest.mark.parametrize(
    "use",
    [
        lambda own, x: own.bn(own.conv(x)) + own.bn.running_mean.mean(),
        lambda own, x: own.bn(own.conv(x)) * own.bn.eps,
        lambda own, x: own.bn(own.conv(x)) * hasattr(own.bn, "weight"),
        lambda own, x: own.bn.train()(own.conv(x)),
    ],
    ids=["statistics", "number", "question", "mode"],
)
def test_a_norm_of_which_a_models_code_reads_more_than_its_output_is_left(use):
    assert used(use) == LEFT


def test_a_norm_that_is_asked_for_its_mode_is_a_pair():
    assert used(lambda own, x: x if own.bn.training else own.bn(own.conv(x))) == PAIR


@pytest.mark.parametrize("name", ["conv", "bn"])
@pytest.mark.parametrize("routine", ["forward", "_conv_forward", "_check_input_dim"])
def test_a_module_with_a_routine_of_its_own_is_left(name, routine):
    model = Two(one_after_the_other)
    module = model.get_submodule(name)
    if hasattr(module, routine):
        setattr(module, routine, getattr(module, routine))
        assert find_pairs(model) == LEFT


class Doors(nn.Module):
    """A model with a second way in."""

    def __init__(self, second):
        super().__init__()
        self.stem, self.rest = Two(one_after_the_other), Two(one_after_the_other)
        self.second = second

    def forward(self, x):
        return self.rest(self.stem(x))

    def forward_intermediates(self, x, indices=None, *, norm=False):
        return self.second(self, x)


BOTH = {"stem.conv": "stem.bn", "rest.conv": "rest.bn"}
REST = ConvNormPairs({"rest.conv": "rest.bn"}, frozenset({"stem.bn"}))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (lambda own, x: [own.stem(x)], ConvNormPairs(BOTH)),
        (lambda own, x: own.rest(own.stem(x)), ConvNormPairs(BOTH)),
        (lambda own, x: [own.stem.conv(x)], REST),
        (lambda own, x: [x, own.stem.bn(x)], REST),
        (lambda own, x: [x * own.stem.conv.weight.mean(), own.rest(x)], REST),
        (lambda own, x: [both(x, own.stem.conv, own.stem.bn), own.rest(x)], REST),
        (lambda own, x: [x] if x.mean() > 0 else [], ConvNormPairs({}, frozenset(BOTH.values()))),
    ],
    ids=["one", "all", "output", "norm", "weight", "passed on", "unread"],
)
def test_what_timms_second_way_into_a_model_shows_counts_too(second, expected):
    assert find_pairs(Doors(second)) == expected


def test_ways_into_a_model_that_were_replaced_hide_it():
    for door in ("forward", "forward_intermediates"):
        model = Doors(lambda own, x: [own.stem(x)])
        setattr(model, door, lambda x: x)
        assert find_pairs(model) == ConvNormPairs({}, frozenset(BOTH.values()))


class Delegating(nn.Module):
    """Has whatever its inner model has."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)

    def forward(self, x):
        return self.inner(x)


def test_a_model_that_passes_questions_on_to_another_is_read_as_it_is_called():
    model = Delegating(Doors(lambda own, x: [own.stem(x)]))
    assert find_pairs(model).alone == {f"inner.{conv}": f"inner.{norm}" for conv, norm in BOTH.items()}
