from lsbench.suite.installed import missing_loggers, missing_runtimes, settings_of


def test_loggers_without_their_package_are_told_once_each(monkeypatch):
    monkeypatch.setattr(
        "lsbench.loggers.find_spec", lambda name: None if name in ("wandb", "mlflow") else name
    )
    settings = [{"loggers": ["wandb", "tensorboard"]}, {"epochs": 1}, {"loggers": [{"wandb": {}}, "mlflow"]}]
    lines = missing_loggers(settings)
    assert len(lines) == 2
    assert lines[0].startswith("loggers: wandb: cannot be imported here")
    assert 'pip install "lsbench[wandb]"' in lines[0]
    assert missing_loggers([{"loggers": ()}, {"loggers": None}]) == []


def test_the_settings_of_a_suite_are_those_of_all_jobs_and_rows(tiny, make_graph):
    tiny["jobs"][0]["train"]["loggers"] = ["tensorboard"]
    tiny["variants"][0]["jobs"] = {"train": {"loggers": ["wandb"]}}
    found = [list(settings.get("loggers", ())) for settings in settings_of(make_graph(tiny).suite)]
    assert ["tensorboard"] in found
    assert ["wandb"] in found


def test_runtimes_that_cannot_be_used_here_are_told_once_each(monkeypatch):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda name: name != "openvino")
    monkeypatch.setenv("CXX", "no-such-compiler")
    settings = [
        {"runtime": "openvino", "precision": "fp32", "quantisation": "static", "compiled": False},
        {"runtime": "openvino", "precision": "fp32", "quantisation": "static", "compiled": False},
        {"runtime": "eager", "compiled": True},
        {"runtime": "eager"},
        {"epochs": 3},
    ]
    lines = missing_runtimes(settings)
    assert [line.split(": ")[1] for line in lines] == ["openvino", "compile"]
    assert 'pip install "lsbench[openvino]"' in lines[0]
    assert "no-such-compiler is not found here" in lines[1]


def test_several_runtimes_that_are_not_installed_are_one_line_with_one_command(monkeypatch):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda name: False)
    names = ("onnxruntime", "openvino")
    settings = [{"runtime": name, "precision": precision} for name in names for precision in ("fp32", "int8")]
    [line] = missing_runtimes(settings)
    assert line.startswith("runtime: onnxruntime, openvino: cannot be imported here")
    assert '`pip install "lsbench[onnxruntime]" "lsbench[openvino]"`' in line


def test_a_runtime_whose_int8_needs_what_another_is_shares_its_line(monkeypatch):
    monkeypatch.setattr("lsbench.runtimes._is_installed", lambda name: name != "onnxruntime")
    settings = [
        {"runtime": name, "precision": precision}
        for name in ("eager", "onnxruntime", "openvino")
        for precision in ("fp32", "int8")
        if (name, precision) != ("eager", "int8")
    ]
    [line] = missing_runtimes(settings)
    assert line.startswith("runtime: onnxruntime, openvino: cannot be imported here")
    assert "(No module named 'onnxruntime')" in line
    assert missing_runtimes([*settings[:1], {"runtime": "openvino", "precision": "fp32"}]) == []
