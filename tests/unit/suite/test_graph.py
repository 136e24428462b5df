import copy
import random

import pytest
from PIL import Image

from lsbench.core.errors import ConfigError
from lsbench.core.job import job_identity
from lsbench.suite.graph import build_graph, critical_path, with_needs
from lsbench.suite.loader import load_suite
from lsbench.suite.planner import make_plan


def ids(graph):
    return {job.label: job.id for job in graph.jobs}


def test_every_variant_job_and_seed_once(tiny, make_graph):
    graph = make_graph(tiny)
    expected = {f"{v}/{j}/seed{s}" for v in ("ls", "id") for j in ("train", "evaluate") for s in (0, 1)}
    assert set(ids(graph)) == expected | {"ls/profile", "id/profile"}
    assert len(set(ids(graph).values())) == len(graph.jobs) == 10


def test_needs_come_first_and_point_to_the_same_variant_and_seed(tiny, make_graph):
    tiny["jobs"].reverse()
    graph = make_graph(tiny)
    seen = set()
    for job in graph.jobs:
        assert set(job.needs.values()) <= seen
        seen.add(job.id)
        if job.kind == "evaluate":
            assert job.needs == {"train": ids(graph)[f"{job.variant.name}/train/seed{job.seed}"]}


def test_ids_do_not_depend_on_the_order_of_keys_variants_seeds_or_jobs(tiny, make_graph):
    rng = random.Random(0)

    def shuffled(node):
        if isinstance(node, dict):
            items = list(node.items())
            rng.shuffle(items)
            return {key: shuffled(value) for key, value in items}
        return [shuffled(item) for item in node] if isinstance(node, list) else node

    other = shuffled(tiny)
    for key in ("variants", "seeds", "jobs"):
        rng.shuffle(other[key])
    assert ids(make_graph(other)) == ids(make_graph(tiny))


def with_value(content, path, value):
    changed = copy.deepcopy(content)
    node = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


TRAIN = ["jobs", 0, "train"]
NEUTRAL = {
    "data workers": ([*TRAIN, "data_workers"], 3),
    "resources of a job": ([*TRAIN, "resources"], {"num_cpus": 2, "num_gpus": 0, "exclusive": "node"}),
    "resources": (["resources"], {"num_gpus": 0, "timeout_min": 1, "max_retries": 5}),
    "description": (["description"], "other"),
    "suite name": (["name"], "other"),
    "baseline": (["baseline"], "id"),
    "label": (["variants", 0, "label"], "Other"),
    "another variant": (["variants", 1, "mixer"], "involution"),
}
TELLING = {
    "epochs": ([*TRAIN, "epochs"], 2, {"train", "evaluate"}),
    "threads": ([*TRAIN, "threads"], 2, {"train", "evaluate"}),
    "mixer": (["variants", 0, "mixer"], "involution", {"train", "evaluate", "profile"}),
    "mixer options": (["variants", 0, "mixer_args"], {"kernel_large": 5}, {"train", "evaluate", "profile"}),
    "model": (["defaults", "model"], "lsnet_t", {"train", "evaluate", "profile"}),
    "image size": (["defaults", "dataset", "img_size"], 64, {"train", "evaluate", "profile"}),
    "images": (["defaults", "dataset", "train_images"], 60, {"train", "evaluate"}),
    "split": (["jobs", 1], {"evaluate": {"split": "val"}}, {"evaluate"}),
    "batch": (["jobs", 2, "profile", "batch_size"], 3, {"profile"}),
}


@pytest.mark.parametrize(("path", "value"), NEUTRAL.values(), ids=NEUTRAL)
def test_what_changes_no_result_changes_no_id(path, value, tiny, make_graph):
    before, after = (ids(make_graph(c)) for c in (tiny, with_value(tiny, path, value)))
    assert {k: v for k, v in after.items() if k.startswith("ls/")} == {
        k: v for k, v in before.items() if k.startswith("ls/")
    }


@pytest.mark.parametrize(("path", "value", "kinds"), TELLING.values(), ids=TELLING)
def test_a_change_reaches_what_depends_on_it_and_nothing_else(path, value, kinds, tiny, make_graph):
    before, after = (make_graph(c) for c in (tiny, with_value(tiny, path, value)))
    new = ids(after)
    changed = {job.kind for job in before.jobs if job.variant.name == "ls" and new[job.label] != job.id}
    assert changed == kinds


def test_a_limit_changes_every_id_and_a_rename_none(tiny, make_graph):
    plain = ids(make_graph(tiny))
    limited = next(job for job in make_graph(tiny, limit=1).jobs if job.kind == "evaluate")
    drawn = job_identity(limited, dataset="d")
    assert drawn["drawn"] == "evenly", "images of earlier limits were the first ones"
    assert "drawn" not in job_identity(limited.model_copy(update={"limit": None}), dataset="d")
    assert not set(plain.values()) & set(ids(make_graph(tiny, limit=1)).values())
    tiny["variants"][0]["name"] = "renamed"
    assert set(ids(make_graph(tiny)).values()) == set(plain.values())


def test_rows_of_the_same_setting_share_their_jobs(tiny, make_graph):
    tiny["variants"].append({"name": "twin", "mixer": "identity"})
    graph = make_graph(tiny)
    assert len(graph.jobs) == 15
    assert len(graph.by_id()) == 10


def test_jobs_are_pending_while_their_data_is_absent(tiny, make_graph, tmp_path):
    tiny["variants"].append({"name": "big", "dataset": {"name": "imagenet"}})
    graph = make_graph(tiny, data_root=tmp_path)
    pending = {job.label for job in graph.jobs if job.id is None}
    assert pending == {f"big/{job}/seed{seed}" for job in ("train", "evaluate") for seed in (0, 1)}
    assert len(graph.missing_data) == 1
    assert str(tmp_path) in graph.missing_data[0]
    assert None not in graph.by_id()
    assert set(critical_path(graph)) == set(graph.by_id())
    assert all(job.data_root == str(tmp_path) for job in graph.jobs)


def test_costs_grow_with_the_work(tiny, make_graph):
    once, twice = make_graph(tiny), make_graph(with_value(tiny, [*TRAIN, "epochs"], 2))
    assert twice.cost["ls/train/seed0"] == 2 * once.cost["ls/train/seed0"] > 0
    assert once.cost["ls/evaluate/seed0"] < once.cost["ls/train/seed0"]


def test_the_critical_path_is_the_longest_chain(tiny, make_graph):
    graph = make_graph(tiny)
    length, by_label = critical_path(graph), ids(graph)
    for label, needed in (("ls/evaluate/seed0", "ls/train/seed0"), ("id/evaluate/seed1", "id/train/seed1")):
        assert length[by_label[label]] == graph.cost[label]
        assert length[by_label[needed]] == graph.cost[needed] + graph.cost[label]
    assert length[by_label["ls/profile"]] == graph.cost["ls/profile"]


def test_a_job_of_pretrained_weights_needs_no_training(tiny, make_graph):
    tiny["jobs"] = [{"evaluate": {"weights": "pretrained"}}]
    assert {job.label: job.needs for job in make_graph(tiny).jobs}["ls/evaluate/seed0"] == {}


def test_ids_of_finished_jobs_stay_what_they_were():
    """These were the ids before an evaluation could be told to test on other data."""
    before = ["defaults.dataset.val_images=1000", "jobs.profile.max_s=0.5"]  # what smoke had then
    found = ids(build_graph(load_suite("smoke", overrides=before)))
    assert found["ls_conv/train/seed0"] == "train-ee37057ef064"
    assert found["ls_conv/evaluate/seed0"] == "evaluate-4206854a20de"
    assert found["ls_conv/profile"] == "profile-3fee9e800cdf"


@pytest.fixture
def photos(tmp_path):
    """Two folders with the ten class folders of Fashion, and one with three classes."""
    from lsbench.data.garments.pack import wnids

    for name, classes in (("one", wnids()), ("two", wnids()), ("few", ("a", "b", "c"))):
        for number, wnid in enumerate(classes):
            (tmp_path / name / "test" / wnid).mkdir(parents=True)
            Image.new("RGB", (4, 4 + number)).save(tmp_path / name / "test" / wnid / f"{name}.png")
    return tmp_path


def evaluation(make_graph, tiny, data_root, on, **settings):
    tiny["jobs"][1] = {"evaluate": {"on": on, **settings}}
    return {job.label: job for job in make_graph(tiny, data_root=data_root).jobs}["ls/evaluate/seed0"]


def test_an_id_follows_from_the_other_data_and_not_from_where_it_lies(tiny, make_graph, photos):
    def id_on(on, **settings):
        return evaluation(make_graph, tiny, photos, on, **settings).id

    one = id_on({"name": "image_folder", "root": "one"})
    assert one is not None
    assert one != id_on(None)
    assert one != id_on({"name": "image_folder", "root": "two"})
    assert one != id_on({"name": "image_folder", "root": "one", "img_size": 64})
    (photos / "one").rename(photos / "moved")
    assert one == id_on({"name": "image_folder", "root": "moved"})
    tiny["defaults"]["dataset"]["img_size"] = 64
    assert one != id_on({"name": "image_folder", "root": "moved"})


def test_other_data_that_is_absent_leaves_its_job_pending(tiny, make_graph, tmp_path):
    tiny["jobs"][1] = {"evaluate": {"on": {"name": "image_folder", "root": "nowhere"}}}
    graph = make_graph(tiny, data_root=tmp_path)
    assert {job.kind for job in graph.jobs if job.id is None} == {"evaluate"}
    assert len(graph.missing_data) == 1


def test_data_with_another_number_of_classes_is_refused_before_anything_runs(tiny, make_graph, photos):
    message = r"^ls/evaluate/seed0: .* with the 10 classes of 'fashion', found 'image_folder' with 3"
    with pytest.raises(ConfigError, match=message):
        evaluation(make_graph, tiny, photos, {"name": "image_folder", "root": "few"})
    with pytest.raises(ConfigError, match="found 'imagenet_a' with 1000"):
        evaluation(make_graph, tiny, photos, "imagenet_a")


def test_the_cost_of_a_detector_is_for_the_images_that_it_reads(tiny, make_graph):
    costs = {}
    for own, size in ((32, 64), (64, 64), (64, 128)):
        tiny["defaults"]["dataset"] = {"name": "fashion", "img_size": own}
        data = {"name": "fashion_coco", "img_size": size}
        tiny["jobs"] = [{"detect": {"dataset": data, "backbone_weights": "none"}}]
        costs[own, size] = make_graph(tiny).cost["id/detect/seed0"]
    assert costs[32, 64] == costs[64, 64]
    assert costs[64, 128] / costs[64, 64] == pytest.approx(4, rel=0.1)


def test_the_cost_counts_the_images_that_are_read(tiny, make_graph, tmp_path):
    tiny["defaults"]["dataset"] = {"name": "imagenet"}
    costs = {}
    for on in (None, "imagenet_a", "imagenet_sketch"):
        tiny["jobs"][1] = {"evaluate": {"on": on}}
        costs[on] = make_graph(tiny, data_root=tmp_path).cost["ls/evaluate/seed0"]
    assert costs["imagenet_a"] / costs[None] == pytest.approx(7_500 / 50_000)
    assert costs["imagenet_sketch"] / costs[None] == pytest.approx(50_889 / 50_000)


def test_the_content_of_a_folder_that_is_a_model_is_part_of_the_id(tiny, make_graph, tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "config.json").write_text('{"architecture": "test_resnet"}')
    ids = []
    tiny |= {"variants": [{"model": f"local-dir:{folder}"}], "baseline": "net", "jobs": ["profile"]}
    tiny["defaults"].pop("mixer", None)
    for weights in (b"one", b"two", b"one"):
        (folder / "model.safetensors").write_bytes(weights)
        (job,) = make_graph(tiny).jobs
        assert job.label == "net/profile"
        ids.append(job.id)
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (False, True)
    tiny["variants"][0]["model"] = "resnet18.a1_in1k"
    tagged, plain = (
        make_graph({**tiny, "variants": [{"name": "row", "model": name}], "baseline": "row"}).jobs[0]
        for name in ("resnet18.a1_in1k", "resnet18")
    )
    assert tagged.id != plain.id


def test_a_file_of_a_detectors_backbone_is_part_of_its_id(tiny, make_graph, tmp_path):
    weights = tmp_path / "backbone.pth"
    data = {"name": "fashion_coco", "train_images": 4, "test_images": 2}
    tiny["jobs"] = [{"detect": {"dataset": data, "backbone_weights": str(weights)}}]
    found = []
    for content in (b"one", b"one", b"other"):
        weights.write_bytes(content)
        [job] = make_graph({**tiny, "variants": tiny["variants"][:1], "seeds": [0]}).jobs
        assert list(job.contents) == [str(weights)]
        assert job.needs == {}
        found.append(job.id)
    assert found[0] == found[1] != found[2]
    weights.unlink()
    [job] = make_graph({**tiny, "variants": tiny["variants"][:1], "seeds": [0]}).jobs
    assert job.id is None


def of_many_rows(tiny, number):
    """A suite of many rows, of which every second changes settings of a job and the last jobs read others."""
    rows = [{"name": f"row{one}", "model_args": {"drop_path_rate": one / 1000}} for one in range(number)]
    for row in rows[::2]:
        row["jobs"] = {"train": {"lr": 0.001 + float(row["name"][3:]) / 1e6}}
    compared = {"analyze": {"kind": "cka", "other": "row0"}}
    return {**tiny, "variants": rows, "baseline": "row0", "jobs": [*tiny["jobs"], compared]}


def test_the_work_of_a_plan_grows_with_the_number_of_jobs_and_no_faster(
    tiny, write_suite, make_graph, count_calls
):
    def work(number):
        name = write_suite(of_many_rows(tiny, number))
        calls = []
        calls.append(count_calls(lambda: suites.append(load_suite(name))))
        calls.append(count_calls(lambda: graphs.append(build_graph(suites[-1]))))
        graph = graphs[-1]
        labels = {job.label for job in graph.jobs}
        calls.append(count_calls(lambda: critical_path(graph)))
        calls.append(count_calls(lambda: with_needs(graph, labels)))
        calls.append(count_calls(lambda: make_plan(graph, done=set(), only=["row*"], skip=[], seeds=[0])))
        return calls

    suites, graphs = [], []
    make_graph(of_many_rows(tiny, 2))  # reads what is read once per process
    work(2)
    for small, medium, large in zip(work(12), work(18), work(24), strict=True):
        assert large - medium <= 1.05 * (medium - small) + 20


def test_seeds_share_the_settings_of_their_job(tiny, make_graph, count_calls):
    few, many = ({**tiny, "seeds": [*range(number)]} for number in (1, 11))
    make_graph(few)
    calls = [count_calls(lambda suite=suite: make_graph(suite)) for suite in (few, many)]
    assert (calls[1] - calls[0]) / 40 < 250, "a job more is an id and a name, not settings parsed again"


def test_data_that_no_job_reads_is_not_missing(tiny, make_graph, tmp_path):
    tiny["defaults"] |= {"dataset": "imagenet", "model_args": {"stem_stride": 8}}
    cost = {"profile": {"probes": ["params"]}}
    boxes = {"detect": {"dataset": "coco", "backbone_weights": "none"}}
    for jobs, names in (([cost], []), ([cost, boxes], ["coco"]), ([cost, "train"], ["imagenet"])):
        graph = make_graph({**tiny, "jobs": jobs, "seeds": [0]}, data_root=tmp_path)
        told = "\n".join(graph.missing_data)
        assert [name for name in ("imagenet", "coco") if str(tmp_path / name) in told] == names
