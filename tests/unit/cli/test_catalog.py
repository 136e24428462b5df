import subprocess
import sys

import pytest
import timm

from lsbench.cli.catalog import (
    family_settings,
    folded_models,
    is_folded,
    measure_macs,
    setting_key,
    suite_settings,
    weight_tags,
)
from lsbench.core.catalog import read_catalog
from lsbench.core.registry import MIXERS
from lsbench.models.factory import PLUGGABLE_MODELS
from lsbench.suite.loader import shipped_suites

REGENERATE = "run `python -m lsbench.cli.catalog`"
#: Of these every row is counted in every run: a small model, LSNet-T of the paper's ablations, a row of timm.
SMALL = ("lsnet_nano@", "lsnet_t@224/", "resnet18@")
#: And the others that the paper prints.
PRINTED = {
    "lsnet_s@224/ls_conv",
    "lsnet_b@224/ls_conv",
    "resnet50@224",
    "resnet50_ls@224/ls_conv",
    "deit_tiny_patch16_224@224",
    "deit_tiny_ls@224/ls_conv",
}
FAST = [key for key in read_catalog()["macs"] if key.startswith(SMALL) or key in PRINTED]
#: Fused they are counted in every run, too, but for LSNet-T with other mixers.
FUSED = [key for key in FAST if key.startswith(("lsnet_nano@", "lsnet_t@224/ls_conv", "resnet18@"))]


def test_every_model_in_it_exists_and_the_families_are_complete():
    names = read_catalog()["models"]
    assert names == sorted(set(names))
    assert read_catalog()["pluggable"] == list(PLUGGABLE_MODELS), REGENERATE
    assert set(PLUGGABLE_MODELS) <= set(names), REGENERATE
    assert [name for name in names if not timm.is_model(name)] == [], REGENERATE


def test_it_holds_the_tags_of_all_weights():
    assert read_catalog()["tags"] == weight_tags(), REGENERATE
    assert len(weight_tags()) > 1000


@pytest.fixture(scope="module")
def families():
    return {setting_key(setting): setting for setting in family_settings()}


@pytest.fixture(scope="module")
def rows():
    return {setting_key(setting): setting for suite in shipped_suites() for setting in suite_settings(suite)}


def test_it_holds_every_family_with_every_mixer_and_every_row_of_the_shipped_suites(families, rows):
    assert len(families) == len(PLUGGABLE_MODELS) * len(MIXERS.names())
    assert set(read_catalog()["macs"]) == {*families, *rows}, REGENERATE
    assert set(read_catalog()["macs_paper"]) == {*rows}, REGENERATE


def slow(keys, quick):
    """Return keys as parameters, those that are not quick marked as slow."""
    return [key if key in quick else pytest.param(key, marks=pytest.mark.slow) for key in keys]


@pytest.mark.parametrize("key", slow(read_catalog()["macs"], FAST))
def test_costs_are_current(key, families, rows):
    assert read_catalog()["macs"][key] == measure_macs({**families, **rows}[key]), REGENERATE


@pytest.mark.parametrize("key", slow(read_catalog()["macs_paper"], FUSED))
def test_costs_of_fused_models_are_current(key, rows):
    assert read_catalog()["macs_paper"][key] == measure_macs(rows[key], is_fused=True), REGENERATE


#: Models of each kind: folded pair by pair, fused by their own code, without batch normalisation.
KINDS = {
    **dict.fromkeys(["resnet18", "starnet_s1", "fastvit_t8", "mobilenetv3_large_100", "densenet121"], True),
    **dict.fromkeys(["repvit_m0_9", "mobileone_s0", "convmixer_768_32"], False),
    **dict.fromkeys(["deit_tiny_patch16_224", "convnext_atto", "pvt_v2_b0"], False),
}


@pytest.mark.parametrize(("name", "expected"), KINDS.items())
def test_it_knows_the_models_that_are_folded(name, expected):
    assert is_folded(name) == expected == (name in read_catalog()["folded"]), REGENERATE


def test_it_knows_of_every_small_model_with_a_mixer_whether_it_is_folded():
    names = [name for name in PLUGGABLE_MODELS if name in ("lsnet_nano", "deit_tiny_ls")]
    known = [key for key in read_catalog()["folded"] if key.startswith(tuple(f"{name}/" for name in names))]
    assert sorted(folded_models(names)) == known, REGENERATE


def test_planning_reads_it_without_torch():
    code = (
        "import sys; from lsbench.cli.main import run_command;"
        "code = run_command(['plan', 'paper/table5', '--json']);"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0", "False"]
