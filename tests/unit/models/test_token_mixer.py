import pytest

from lsbench.core.errors import ConfigError, UnknownNameError
from lsbench.models.token_mixer import create_mixer, option_problems


def test_a_mixer_is_created_by_name_with_its_options():
    assert create_mixer("ls_conv", 16, {"kernel_large": 5}).lkp.cv2.c.kernel_size == (5, 5)
    assert list(create_mixer("identity", 16).parameters()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "ls_conv",
            {"kernel_larg": 7},
            "mixer 'ls_conv' has no option 'kernel_larg' (did you mean 'kernel_large'?)",
        ),
        ("ls_conv", {"kernel_small": 4}, "mixer 'ls_conv': kernel_small must be odd, got 4"),
        (
            "ls_conv",
            {"kernel_large": "7"},
            "mixer 'ls_conv': kernel_large must be a positive whole number, got '7'",
        ),
        (
            "ls_conv",
            {"channels_per_group": 5},
            "mixer 'ls_conv': channels_per_group 5 does not divide the 16 channels of a stage",
        ),
        ("identity", {"zzz": 1}, "mixer 'identity' has no option 'zzz'; it takes none"),
        (
            "cond_conv",
            {"zzz": 1},
            "mixer 'cond_conv' has no option 'zzz'; its options are: kernel_size, num_experts",
        ),
    ],
)
def test_every_mistake_is_one_line(name, options, message):
    with pytest.raises(ConfigError) as caught:
        create_mixer(name, 16, options)
    assert caught.value.problems == [message]


def test_an_unknown_mixer_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'ls_conv'"):
        create_mixer("lsconv", 16)


def test_missing_options_are_reported_and_open_signatures_accept_any():
    def strict(dim, *, needed):
        pass

    def open_ended(dim, **options):
        pass

    assert option_problems(strict, {}, owner="it", given=1) == ["it needs the option 'needed'"]
    assert option_problems(open_ended, {"x": 1}, owner="it", given=1) == []


def test_what_a_mixer_of_another_package_gets_wrong_is_one_line(monkeypatch):
    def build(dim, kernel: int = 3):
        return [dim] if kernel == 3 else dim + kernel

    monkeypatch.setattr("lsbench.core.registry.Registry.load", lambda *_: build)
    with pytest.raises(ConfigError, match=r"expected it to make a torch.nn.Module, found an object of list"):
        create_mixer("mine", 16)
    with pytest.raises(
        ConfigError, match=r"^mixer 'mine': expected a whole number as 'kernel', found \"x\"$"
    ):
        create_mixer("mine", 16, {"kernel": "x"})
    with pytest.raises(
        ConfigError, match=r'^mixer \'mine\' cannot be made with mixer_args {"kernel": null}: TypeEr'
    ):
        create_mixer("mine", 16, {"kernel": None})
