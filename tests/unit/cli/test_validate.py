import pytest

from lsbench.suite.loader import folder_name, shipped_suites


@pytest.mark.parametrize("suite", shipped_suites())
def test_shipped_suites_are_valid(suite, call):
    code, out, _ = call("validate", suite)
    assert code == 0
    assert out.splitlines()[0].startswith(f"{folder_name(suite)} (default): ok: ")


def test_every_problem_of_a_suite_is_a_line(call, tiny, write_suite):
    tiny["sedes"] = [1]
    tiny["variants"][0]["mixer"] = "ls_conf"
    path = write_suite(tiny)
    code, _, err = call("validate", path)
    assert code == 2
    assert [line.startswith(f"lsbench: {path}:") for line in err.splitlines()] == [True, True]


def test_all_models_that_cannot_be_built_are_told_at_once(call, tiny, write_suite):
    tiny["variants"] += [
        {"name": "type", "model_args": {"depths": 3}, "mixer": "identity"},
        {"name": "option", "mixer": "ls_conv", "mixer_args": {"kernel_big": 7}},
    ]
    tiny["jobs"][2]["profile"] |= {
        "probes": ["latency_ratio"],
        "control": {"model": "lsnet_nano", "mixer": "ls_conv", "mixer_args": {"kernel_large": "7"}},
    }
    path = write_suite(tiny)
    assert call("validate", path)[0] == 0
    code, out, err = call("validate", path, "--build")
    assert (code, out) == (2, "")
    lines = [line.removeprefix("lsbench: variant ") for line in err.splitlines()]
    assert [line.partition(":")[0] for line in lines] == ["'ls.profile.control'", "'type'", "'option'"]
    assert lines[1].endswith("expected a list of whole numbers as 'depths', found 3")


def test_models_that_can_be_built_are_ok(call, tiny, write_suite):
    code, out, _ = call("validate", write_suite(tiny), "--build")
    assert code == 0
    assert "ok: 2 variants" in out


def test_what_this_machine_lacks_is_told(call, tiny, write_suite, monkeypatch):
    monkeypatch.setattr("lsbench.loggers.find_spec", lambda name: None)
    tiny["jobs"][0]["train"]["loggers"] = ["wandb", "mlflow"]
    code, _, err = call("validate", write_suite(tiny))
    assert code == 2
    assert [line.split(":")[2] for line in err.splitlines()] == [" wandb", " mlflow"]


@pytest.mark.parametrize("verb", ["validate", "plan", "run"])
def test_a_runtime_that_is_not_installed_is_one_line_and_nothing_runs(
    verb, call, tiny, write_suite, monkeypatch, tmp_path
):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda name: False)
    tiny["jobs"] = [{"profile": {"runtime": "openvino", "precision": "int8"}}]
    more = [] if verb == "validate" else ["--results", tmp_path / "results"]
    code, _, err = call(verb, write_suite(tiny), *more)
    assert code == 2
    [line] = err.splitlines()
    assert "runtime: openvino: cannot be imported here" in line
    assert 'pip install "lsbench[openvino]"' in line
    assert not list(tmp_path.glob("results/**/result.json"))


@pytest.mark.parametrize("verb", ["validate", "plan", "run"])
def test_without_its_runtimes_the_suite_of_deployment_is_one_line_and_nothing_runs(
    verb, call, results, monkeypatch
):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda name: False)
    code, out, err = call(verb, "deploy", *([] if verb == "validate" else ["--results", results]))
    assert code == 2
    assert verb == "plan" or not out
    [line] = err.splitlines()
    assert 'pip install "lsbench[onnxruntime]" "lsbench[openvino]"' in line
    assert not results.exists()


def folders(root, *splits, classes=("a", "b")):
    for split in splits:
        for name in classes:
            (root / split / name).mkdir(parents=True)
            (root / split / name / "0.png").write_bytes(b"1")
    return {"name": "image_folder", "root": str(root), "img_size": 32}


@pytest.mark.parametrize(
    ("splits", "on", "words"),
    [
        (("train",), None, "expected a 'val' split"),
        (("train", "test"), None, "expected a 'val' split"),
        (("train", "val"), ("test",), "expected a data set with the 2 classes"),
        (("train", "val", "test"), None, ""),
    ],
)
def test_what_a_plan_refuses_is_not_valid(splits, on, words, call, quick, write_suite, results, tmp_path):
    quick["defaults"]["dataset"] = folders(tmp_path / "own", *splits)
    if on is not None:
        other = folders(tmp_path / "other", *on, classes=("a", "b", "c"))
        quick["jobs"][1] = {"evaluate": {"on": other}}
    path = write_suite(quick)
    for command in (["validate", path], ["plan", path, "--results", results]):
        code, _, err = call(*command)
        assert code == (2 if words else 0)
        assert words in err
        assert words or not err


def test_a_row_that_only_a_preset_mends_is_told(call, tiny, write_suite):
    tiny["defaults"]["model_args"] = {"depths": 3}
    tiny["presets"] = {"mended": {"defaults": {"model_args": {"depths": [1, 1, 1, 1]}}}}
    code, _, err = call("validate", write_suite(tiny), "--build")
    assert code == 2
    assert "'depths', found 3" in err
