import importlib

import pytest

from lsbench.core.catalog import read_catalog
from lsbench.core.job import JobSpec
from lsbench.core.registry import FAMILIES
from lsbench.suite.used_plugins import UsedPlugins


def code_of(graph, label):
    return next(set(job.code) for job in graph.jobs if job.label == label)


def test_the_plugins_of_a_job_are_its_kind_model_mixer_data_and_metrics(tiny, make_graph):
    graph = make_graph(tiny)
    train = {"job kind train", "model family lsnet", "mixer identity", "data set fashion"}
    assert code_of(graph, "id/train/seed0") == train
    evaluate = train | {"job kind evaluate", "metric top1", "metric top5"}
    assert code_of(graph, "id/evaluate/seed0") == evaluate
    tiny["jobs"] += [{"evaluate": {"name": "int8", "runtime": "onnxruntime", "precision": "int8"}}]
    assert code_of(make_graph(tiny), "id/int8/seed0") == evaluate | {"runtime onnxruntime"}
    profile = {"job kind profile", "model family lsnet", "mixer identity", "runtime eager"}
    profile |= {"probe params", "probe macs"}
    assert code_of(graph, "id/profile") == profile


def test_a_model_without_a_named_mixer_uses_the_usual_one(tiny, make_graph):
    del tiny["variants"][0]["mixer"]
    assert "mixer ls_conv" in code_of(make_graph(tiny), "ls/train/seed0")


def test_a_model_of_timm_has_no_plugin(tiny, make_graph):
    tiny["variants"] = [{"name": "timm", "model": "resnet18"}]
    assert code_of(make_graph(tiny), "timm/train/seed0") == {"job kind train", "data set fashion"}


def test_other_data_sets_teachers_and_mixers_in_settings_count(tiny, make_graph):
    tiny["jobs"][1] = {"evaluate": {"on": "fashion_sketch"}}
    tiny["jobs"][2] = {"profile": {"control": {"model": "lsnet_nano", "mixer": "aff"}}}
    graph = make_graph(tiny)
    assert "data set fashion_sketch" in code_of(graph, "ls/evaluate/seed0")
    assert {"mixer aff", "mixer ls_conv"} <= code_of(graph, "ls/profile")


def test_outside_plugins_of_every_kind_count_where_settings_name_them(tiny, make_graph, install, monkeypatch):
    install(
        {"acme.mixer": "", "acme.net": "", "acme.haze": "", "acme.family": 'MODELS = ("acme_s",)'},
        {
            "lsbench.mixers": {"acme_mixer": "acme.mixer"},
            "lsbench.models": {"acme_net": "acme.net"},
            "lsbench.families": {"acme_family": "acme.family"},
            "lsbench.corruptions": {"acme_haze": "acme.haze"},
        },
    )
    graph = make_graph(tiny)
    job = graph.jobs[0]
    kind = type("Kind", (), {"uses_data": False, "spec": JobSpec})
    spec = {"a": ["acme_haze", {"b": "acme_net.my_weights"}]}
    changed = job.model_copy(
        update={
            "spec": spec,
            "variant": job.variant.model_copy(
                update={"model": "acme_s", "mixer": None, "mixer_args": {"inner": "acme_mixer"}}
            ),
        }
    )
    assert set(UsedPlugins().own_code(changed, kind)) == {
        "job kind train",
        "model family acme_family",
        "mixer acme_mixer",
        "model acme_net",
        "corruption acme_haze",
    }


@pytest.mark.parametrize("family", FAMILIES.own_names())
def test_lsbenchs_own_models_start_with_the_name_of_their_family(family):
    models = importlib.import_module(f"lsbench.models.families.{family}").MODELS
    assert all(model.startswith(family) for model in models)
    assert set(models) & set(read_catalog()["pluggable"])
