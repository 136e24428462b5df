from lsbench.core.job import Variant
from lsbench.scheduler.inline import InlineExecutor
from lsbench.scheduler.protocol import Placement

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
    assert node.num_gpus == 0
    assert executor.poll(0.0) == []


def test_a_done_job_ends_well_and_a_broken_one_with_its_error(tiny, make_graph, tmp_path):
    job = make_graph(tiny).jobs[0]
    done, broken = tmp_path / "done", tmp_path / "broken"
    for folder in (done, broken):
        folder.mkdir()
    (done / "spec.json").write_text(job.model_dump_json())
    (done / "result.json").write_text("{}")
    (broken / "spec.json").write_text("{}")
    executor = InlineExecutor()
    executor.submit("a", done, PLACE, 60)
    executor.submit("b", broken, PLACE, 60)
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
    executor.submit("a", tmp_path, PLACE, 60)
    executor.close()
    assert executor.poll(0.0) == []


def test_preflight_builds_the_models(tmp_path):
    dataset = {"name": "fashion", "img_size": 32}
    good = Variant(name="good", model="lsnet_nano", dataset=dataset)
    bad = Variant(name="bad", model="lsnet_nano", mixer_args={"no": 1}, dataset=dataset)
    assert InlineExecutor().preflight([good], tmp_path) == []
    assert len(InlineExecutor().preflight([good, bad], tmp_path)) == 1
