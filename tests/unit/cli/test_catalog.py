import subprocess
import sys

import pytest
import timm

from lsbench.cli.catalog import family_settings, measure_macs, setting_key, suite_settings, weight_tags
from lsbench.core.catalog import read_catalog
from lsbench.core.registry import MIXERS
from lsbench.models.factory import PLUGGABLE_MODELS
from lsbench.suite.loader import shipped_suites

REGENERATE = "run `python -m lsbench.cli.catalog`"
FAMILIES = {setting_key(setting): setting for setting in family_settings()}
ROWS = {setting_key(setting): setting for suite in shipped_suites() for setting in suite_settings(suite)}
#: Counted in every run: one small member of each family, and one row of timm.
FAST = [
    key for key in (*FAMILIES, *ROWS) if key.startswith(("lsnet_nano@", "lsnet_t@224/ls_conv", "resnet18@"))
]
SLOW = sorted({*FAMILIES, *ROWS} - set(FAST))


def test_every_model_in_it_exists_and_the_families_are_complete():
    names = read_catalog()["models"]
    assert names == sorted(set(names))
    assert read_catalog()["pluggable"] == list(PLUGGABLE_MODELS), REGENERATE
    assert set(PLUGGABLE_MODELS) <= set(names), REGENERATE
    assert [name for name in names if not timm.is_model(name)] == [], REGENERATE


def test_it_holds_the_tags_of_all_weights():
    assert read_catalog()["tags"] == weight_tags(), REGENERATE
    assert len(weight_tags()) > 1000


def test_it_holds_every_family_with_every_mixer_and_every_row_of_the_shipped_suites():
    assert len(FAMILIES) == len(PLUGGABLE_MODELS) * len(MIXERS.names())
    assert set(read_catalog()["macs"]) == {*FAMILIES, *ROWS}, REGENERATE


@pytest.mark.parametrize("key", sorted(set(FAST)))
def test_costs_are_current(key):
    assert read_catalog()["macs"][key] == measure_macs({**FAMILIES, **ROWS}[key]), REGENERATE


@pytest.mark.slow
@pytest.mark.parametrize("key", SLOW)
def test_all_other_costs_are_current(key):
    assert read_catalog()["macs"][key] == measure_macs({**FAMILIES, **ROWS}[key]), REGENERATE


def test_planning_reads_it_without_torch():
    code = (
        "import sys; from lsbench.cli.main import run_command;"
        "code = run_command(['plan', 'paper/table5', '--json']);"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0", "False"]
