from dataclasses import replace

import pytest

from lsbench.reports._html.peers import peers
from lsbench.tables.summary import summarize


@pytest.fixture
def summary(tiny, make_graph, fill_store):
    return summarize(fill_store(make_graph(tiny)))


def test_own_published_numbers_are_the_peers(tiny, make_graph, fill_store):
    tiny["variants"][0]["published"] = {"top1": 0.749, "macs": 3e8}
    tiny["published_only"] = [{"name": "Other", "reason": "not in timm", "published": {"top1": 0.726}}]
    found = peers(summarize(fill_store(make_graph(tiny))))
    assert found["points"] == [["ls", {"top1": 0.749, "macs": 3e8}], ["Other", {"top1": 0.726}]]


def test_other_images_have_no_peers(summary):
    assert peers(summary) == {"source": "", "points": []}


def test_imagenet_is_seen_beside_the_papers_table_1(summary):
    columns = [replace(column, dataset=column.dataset and "imagenet") for column in summary.columns]
    found = peers(replace(summary, columns=columns))
    assert "Table 1" in found["source"]
    points = dict(found["points"])
    assert points["LSNet-T"] == {
        "params_fused": 11.4e6,
        "macs_paper": 0.3e9,
        "throughput": 14708,
        "top1": 0.749,
    }
    assert "ShuffleNetV2" in points
    assert len(points) > 30
