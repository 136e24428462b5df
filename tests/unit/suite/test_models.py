from lsbench.suite.models import models_of


def test_each_variant_and_each_further_model_of_its_jobs_is_there_once(tiny, make_graph):
    tiny["jobs"][0]["train"]["distill"] = {"teacher": "resnet18.a1_in1k"}
    tiny["jobs"][2]["profile"] |= {"probes": ["latency_ratio"], "control": {"model": "resnet18"}}
    found = {variant.name: variant for variant in models_of(make_graph(tiny).jobs)}
    assert set(found) == {
        f"{row}{end}" for row in ("ls", "id") for end in ("", ".profile.control", ".train.teacher")
    }
    assert found["ls.profile.control"].model == "resnet18"
    assert found["ls.profile.control"].mixer is None
    assert found["id.train.teacher"].model == "resnet18.a1_in1k"
    assert found["id.train.teacher"].dataset == found["id"].dataset
