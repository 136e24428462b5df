"""What is made of Ray's words, with a Ray that says what the test wants."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from lsbench.scheduler import ray_cluster
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.ray_cluster import AWAY_S, RayCluster


def told(name, resources, *, alive=True, labels=None):
    return {
        "NodeID": name,
        "Alive": alive,
        "Resources": resources,
        "NodeManagerHostname": f"host-{name}",
        "NodeManagerAddress": "127.0.0.1",
        "NodeManagerPort": 6379,
        **({} if labels is None else {"Labels": labels}),
    }


@pytest.fixture
def ray(monkeypatch):
    """A Ray of two nodes and a dead one."""
    made = ModuleType("ray")
    made.nodes = lambda: [
        told("a", {"CPU": 8.0, "GPU": 2.0}, labels={"ray.io/node-group": "gpus"}),
        told("head", {"memory": 1.0}),
        told("dead", {"CPU": 4.0}, alive=False),
    ]
    inner = SimpleNamespace(get_draining_nodes=dict)
    made._private = SimpleNamespace(
        state=SimpleNamespace(
            available_resources_per_node=lambda: {"a": {"CPU": 3.0, "GPU": 1.0}, "head": {}}, state=inner
        )
    )
    sdk = ModuleType("ray.autoscaler.sdk")
    sdk.asked = []

    def request_resources(*, bundles):
        sdk.asked.append(bundles)

    sdk.request_resources = request_resources
    for name, module in (("ray", made), ("ray.autoscaler", ModuleType("x")), ("ray.autoscaler.sdk", sdk)):
        monkeypatch.setitem(sys.modules, name, module)
    made.sdk = sdk
    return made


def test_the_nodes_are_those_alive_with_what_others_use(ray):
    found = RayCluster(is_shared=True).nodes({"a": (4.0, 1.0)})
    assert found == [
        Node("a", 8, 2, "host-a", others=(1.0, 0.0), is_of_group=True),
        Node("head", 0, 0, "host-head"),
    ]


def test_on_a_ray_of_ones_own_there_are_no_others(ray):
    assert RayCluster(is_shared=False).nodes({})[0].others == (0.0, 0.0)


def test_a_node_that_ray_drains_is_about_to_leave(ray):
    ray._private.state.state.get_draining_nodes = lambda: {"a": 1}
    cluster = RayCluster(is_shared=True)
    assert [node.is_leaving for node in cluster.nodes({})] == [True, False]
    assert cluster.draining == {"a"}


def test_a_node_where_a_job_was_asked_to_stop_is_left_alone_for_a_while(ray, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(ray_cluster.time, "monotonic", lambda: now[0])
    shared, own = RayCluster(is_shared=True), RayCluster(is_shared=False)
    for cluster in (shared, own):
        cluster.stop_using("a")
    assert [cluster.nodes({})[0].is_leaving for cluster in (shared, own)] == [True, False]
    assert shared.draining == set(), "jobs that run there are not told to end"
    now[0] = AWAY_S
    assert not shared.nodes({})[0].is_leaving


def test_a_ray_without_these_doors_tells_nothing(ray):
    del ray._private
    [node, _] = RayCluster(is_shared=True).nodes({})
    assert (node.others, node.is_leaving) == ((0.0, 0.0), False)


def test_a_wish_is_told_once(ray):
    cluster = RayCluster(is_shared=True)
    for wish in ([{"CPU": 1}], [{"CPU": 1}], []):
        cluster.ask_for(wish)
    assert ray.sdk.asked == [[{"CPU": 1}], []]
    RayCluster(is_shared=False).ask_for([{"CPU": 1}])
    RayCluster(is_shared=True).ask_for([])
    assert ray.sdk.asked == [[{"CPU": 1}], []], (
        "nothing is wished for from a fixed Ray, and nothing taken back"
    )
