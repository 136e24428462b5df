import pytest

from lsbench.core.facets import Facets
from lsbench.core.quantity import Quantity, is_declared, quantity
from lsbench.core.record import measured
from lsbench.core.registry import DATASETS
from lsbench.detection.costs import DATA, Whole, cost_quantity, estimated_macs, size_for, whole_on
from lsbench.detection.settings import PADDED_SIZES, SETTINGS

#: Task -> published data set.
PUBLISHED = {"retinanet": "coco", "maskrcnn": "coco", "semantic_fpn": "ade20k"}


@pytest.mark.parametrize("task", SETTINGS)
def test_size_and_classes_are_those_of_the_published_data_set(task):
    plugin = DATASETS.load(PUBLISHED[task])
    spec = plugin.spec()
    assert (plugin.task, plugin.num_classes(spec)) == DATA[task]
    assert size_for(spec) == PADDED_SIZES[task]
    found = whole_on(task, plugin, spec, count=lambda: plugin.num_classes(spec), head={})
    other = DATASETS.load("fashion")
    assert found == whole_on(task, other, other.spec(), count=lambda: 10, head={})


def test_an_embedded_data_set_gives_its_own_size_and_classes():
    plugin = DATASETS.load("fashion_coco")
    found = whole_on("retinanet", plugin, plugin.spec(img_size=100), count=lambda: 5, head={})
    assert found == Whole("retinanet", 5, (128, 128))


def test_a_record_tells_model_size_classes_and_head_and_keeps_its_number():
    before = measured("macs", 7.0, facets=Facets(method="fvcore", more={"padded": "800x1344"}, version="1"))
    found = Whole("maskrcnn", 80, (800, 1344), {"channels": 64, "mask_convs": 2}).record(before)
    assert (found.metric, found.value, found.unit) == ("maskrcnn_macs", 7.0, "MAC")
    told = "padded=800x1344|model=maskrcnn|classes=80|head=channels:64,mask_convs:2"
    assert found.protocol == f"fvcore|{told}|v1"
    assert found.facets.more["model"] == "maskrcnn"


@pytest.mark.parametrize("task", SETTINGS)
@pytest.mark.parametrize(
    "name", ["params", "macs", "macs_paper", "uncounted_ops", "latency_ms", "throughput"]
)
def test_each_cost_is_declared_beside_that_of_the_backbone(task, name):
    whole, backbone = quantity(f"{task}_{name}"), quantity(name)
    assert is_declared(f"{task}_{name}")
    assert whole.title != backbone.title
    assert (whole.unit, whole.depends_on_machine) == (backbone.unit, backbone.depends_on_machine)


def test_a_note_names_the_model():
    noted = Quantity("macs", "MAC", False, "FLOPs (G)", note=lambda settings: ["left out: add"])
    assert cost_quantity("semantic_fpn", noted).note([]) == ["Semantic FPN: left out: add"]


@pytest.mark.parametrize(
    ("task", "counted"), [("retinanet", 164.9e9), ("maskrcnn", 184.6e9), ("semantic_fpn", 28.3e9)]
)
def test_the_estimate_for_planning_is_near_the_count_on_lsnet_t(task, counted):
    assert estimated_macs(task, 0.3193e9, head={}) == pytest.approx(counted, rel=0.1)
    quarter = estimated_macs(task, 0.3193e9, size=tuple(side // 2 for side in PADDED_SIZES[task]), head={})
    assert quarter == pytest.approx(counted / 4, rel=0.1)
    assert estimated_macs(task, 0.3193e9, head={"channels": 64}) < counted / 2
