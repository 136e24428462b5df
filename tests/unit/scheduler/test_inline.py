import torch

from lsbench.core.job import Variant
from lsbench.scheduler.inline import InlineExecutor
from lsbench.scheduler.protocol import NodeNeeds, Placement

PLACE = Placement("inline", 1)


def drain(executor):
    events = []
    while found := executor.poll(0.0):
        events += found
    return events


def test_it_is_one_node_that_is_ready_at_once():
    executor = InlineExecutor()
    executor.start()
    [node] = executor.nodes()
    assert node.num_cpus >= 1
    assert node.num_gpus == torch.cuda.device_count()
    assert executor.poll(0.0) == []


def test_a_done_job_ends_well_and_a_broken_one_with_its_error(tiny, make_graph, tmp_path):
    job = make_graph(tiny).jobs[0]
    done, broken = tmp_path / "done", tmp_path / "broken"
    done.mkdir()
    (done / "result.json").write_text("{}")
    executor = InlineExecutor()
    executor.submit("a", done, job.model_dump_json(), PLACE, 60)
    executor.submit("b", broken, "{}", PLACE, 60)
    events = drain(executor)
    assert [(event.job_id, event.kind) for event in events] == [
        ("a", "start"),
        ("a", "end"),
        ("b", "start"),
        ("b", "end"),
    ]
    assert events[1].data == {"ok": True}
    assert events[3].data["ok"] is False
    assert events[3].data["error_class"] == "ValidationError"


def test_closing_forgets_what_has_not_started(tmp_path):
    executor = InlineExecutor()
    executor.submit("a", tmp_path, "{}", PLACE, 60)
    executor.close()
    assert executor.poll(0.0) == []


def test_preflight_builds_the_models(tmp_path):
    dataset = {"name": "fashion", "img_size": 32}
    good = Variant(name="good", model="lsnet_nano", dataset=dataset)
    bad = Variant(name="bad", model="lsnet_nano", mixer_args={"no": 1}, dataset=dataset)
    assert InlineExecutor().preflight([good], tmp_path, NodeNeeds()) == []
    assert len(InlineExecutor().preflight([good, bad], tmp_path, NodeNeeds())) == 1


def test_it_has_the_gpus_that_torch_sees_and_tries_them_before_the_first_job(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    tried = []
    found = {"problems": ["GPU 1: busy"]}
    monkeypatch.setattr(
        "lsbench.scheduler.inline.check_node", lambda needs, gpus: tried.append(gpus) or found
    )
    executor = InlineExecutor()
    assert executor.nodes()[0].num_gpus == 2
    assert executor.preflight([], tmp_path, NodeNeeds(wants_gpus=True)) == ["GPU 1: busy"]
    executor.preflight([], tmp_path, NodeNeeds())
    assert tried == [2, 0]
    assert not executor.hold_device("inline", "1")


def test_a_job_with_a_fraction_of_a_gpu_is_told_its_share(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("lsbench.scheduler.inline.act", lambda request, emit: asked.append(request) or 0)
    executor = InlineExecutor()
    for gpus in ({0: 0.25}, {0: 1.0}, {}):
        executor.submit("a", tmp_path, "{}", Placement("inline", 1, gpus, num_devices=len(gpus)), 60)
    drain(executor)
    assert [one["gpu_share"] for one in asked] == [0.25, 1.0, 1.0]
