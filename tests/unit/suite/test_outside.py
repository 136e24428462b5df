import sys

import pytest

from lsbench.core.errors import PluginError
from lsbench.suite.loader import load_suite
from lsbench.suite.outside import check_torch_plugins, torch_plugins

MIXER = "from torch import nn\nMIXER = lambda dim: nn.Identity()\n"


@pytest.fixture
def suite(tiny, write_suite, install):
    def load(mixer=MIXER, net="x = 1"):
        install(
            {"acme.mixer": mixer, "acme.net": net},
            {"lsbench.mixers": {"acme_mixer": "acme.mixer"}, "lsbench.models": {"acme_net": "acme.net"}},
        )
        tiny["variants"].append({"name": "theirs", "mixer": "acme_mixer"})
        tiny["jobs"][2]["profile"] |= {"control": "acme_net"}
        return load_suite(write_suite(tiny))

    return load


def test_mixers_and_models_from_outside_are_found_wherever_a_suite_names_them(suite):
    assert torch_plugins([suite()]) == ["mixer=acme_mixer", "model=acme_net"]


def test_a_suite_of_lsbenchs_own_starts_no_process(tiny, write_suite):
    check_torch_plugins([load_suite(write_suite(tiny))], command=["no-such-command"])


def test_each_problem_is_one_line(suite):
    with pytest.raises(PluginError) as caught:
        check_torch_plugins([suite(mixer="MIXER = 3")])
    mixer, model = caught.value.problems
    assert mixer.endswith("expected a class or function of the number of channels, found an object of int")
    assert "expected importing it to register a model 'acme_net' with timm, found none" in model


def test_a_plugin_that_ends_the_process_is_told_apart_from_one_that_fails(suite):
    found = suite()
    with pytest.raises(PluginError, match="ended the process with status 3: no message"):
        check_torch_plugins([found], command=[sys.executable, "-c", "raise SystemExit(3)"])
