"""The suites that ship."""

import pytest

from lsbench.suite.graph import build_graph
from lsbench.suite.loader import load_suite, preset_names, shipped_suites

CASES = [(suite, preset) for suite in shipped_suites() for preset in preset_names(suite)]


@pytest.mark.parametrize(("suite", "preset"), CASES)
def test_every_preset_gives_a_graph_and_is_named_after_its_file(suite, preset):
    loaded = load_suite(suite, preset=preset)
    graph = build_graph(loaded)
    assert loaded.name == suite
    assert loaded.description
    assert len(graph.jobs) >= len(loaded.variants)
    if preset == "default":
        assert graph.missing_data == (), "the default preset runs on data that ships"
        assert len(graph.by_id()) == len(graph.jobs)


def test_the_smoke_suite_is_marked_as_such():
    assert load_suite("smoke").is_smoke
    assert not load_suite("ablations").is_smoke
