import pickle

import pytest
import yaml

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite

CURE = "name weights as model_args: {checkpoint: FILE}, which reads tensors only"


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.fixture
def evil(tmp_path):
    """A file of weights that runs code when it is unpickled."""
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"state_dict": Evil(tmp_path / "executed")}))
    return path


def defaults(content, bad):
    content["defaults"]["model_args"] = bad
    return "defaults.model_args"


def defaults_of_another_model(content, bad):
    content["defaults"]["model_args"] = bad
    content["variants"] = [{"name": "other", "model": "resnet18"}]
    return "defaults.model_args"


def row(content, bad):
    content["variants"][0]["model_args"] = bad
    return "variants[0].model_args"


def mixer(content, bad):
    content["variants"][1]["mixer_args"] = bad
    return "variants[1].mixer_args"


def control(content, bad):
    content["jobs"][2]["profile"] |= {"control": {"model": "resnet18", "model_args": bad}}
    return "jobs[2].profile.control.model_args"


def of_one_row(content, bad):
    content["variants"][0]["jobs"] = {"profile": {"control": {"model": "resnet18", "model_args": bad}}}
    return "variants[0].jobs.profile.control.model_args"


def preset_not_chosen(content, bad):
    content["presets"] = {"big": {"defaults": {"model_args": bad}}}
    return "presets.big.defaults.model_args"


BAD = [
    ({"checkpoint_path": "FILE"}, "checkpoint_path"),
    ({"pretrained": True, "pretrained_cfg": {"file": "FILE"}}, "pretrained_cfg"),
    ({"pretrained": True, "pretrained_cfg_overlay": {"file": "FILE"}}, "pretrained_cfg_overlay"),
]


def run_problem(path, **options):
    with pytest.raises(ConfigError) as caught:
        load_suite(path, **options)
    return caught.value.problems


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "place",
    [defaults, defaults_of_another_model, row, mixer, control, of_one_row, preset_not_chosen],
)
def test_files_are_refused_wherever_a_suite_gives_arguments(tiny, write_suite, evil, place, bad):
    content, key = bad
    field = place(tiny, yaml.safe_load(yaml.safe_dump(content).replace("FILE", str(evil))))
    path = write_suite(tiny)
    with open(path) as file:
        line = next(number for number, text in enumerate(file, start=1) if f" {key}:" in text)
    wanted = f"{path}:{line}: {field}.{key}: a suite may not choose where a model is loaded from; {CURE}"
    assert wanted in run_problem(path)


@pytest.mark.parametrize(
    "matrix",
    [
        {"model_args.checkpoint_path": ["FILE"]},
        {"model_args": [{}, {"checkpoint_path": "FILE"}]},
        {"jobs.profile.control.model_args.checkpoint_path": ["FILE"]},
    ],
)
def test_a_matrix_reaches_no_file_either(tiny, write_suite, evil, matrix):
    tiny["variants"] = [
        {"name": "m", "matrix": yaml.safe_load(yaml.safe_dump(matrix).replace("FILE", str(evil)))}
    ]
    path = write_suite(tiny)
    assert any("variants[0].matrix." in line and line.endswith(CURE) for line in run_problem(path))


@pytest.mark.parametrize(
    "text",
    [
        "defaults.model_args.checkpoint_path=FILE",
        "defaults.model_args={checkpoint_path: FILE}",
        "defaults={model_args: {pretrained_cfg: {file: FILE}}}",
        "jobs.profile.control={model: resnet18, model_args: {checkpoint_path: FILE}}",
    ],
)
def test_an_override_reaches_no_file_either(tiny, write_suite, evil, text):
    lines = run_problem(write_suite(tiny), overrides=[text.replace("FILE", str(evil))])
    assert any(line.startswith("--set: ") and line.endswith(CURE) for line in lines)


def test_what_a_suite_extends_is_checked_too(tiny, write_suite, tmp_path, evil):
    (tmp_path / "base.yaml").write_text(
        yaml.safe_dump({"defaults": {"model_args": {"checkpoint_path": str(evil)}}})
    )
    (line,) = run_problem(write_suite({**tiny, "extends": "base.yaml"}))
    assert line.startswith(f"{tmp_path / 'base.yaml'}:3: defaults.model_args.checkpoint_path: ")


@pytest.mark.parametrize("name", ["https://host/evil", "hf_hub:someone/evil", "file:/tmp/evil", "a/b"])
def test_a_model_is_no_address(tiny, write_suite, name):
    tiny["variants"][0]["model"] = name
    (line,) = run_problem(write_suite(tiny))
    assert f"variants[0].model: unknown model '{name}': a model is not named by an address" in line


@pytest.mark.parametrize(
    "bad",
    [
        {"checkpoint_path": "FILE"},
        {"pretrained": True, "pretrained_cfg": {"file": "FILE"}},
        {"checkpoint": "FILE"},
    ],
)
def test_nothing_is_executed(tiny, write_suite, tmp_path, evil, bad):
    from lsbench.cli.main import run_command

    tiny["variants"] = tiny["variants"][:1]
    tiny["jobs"] = [{"profile": {"probes": ["params"]}}]
    row(tiny, yaml.safe_load(yaml.safe_dump(bad).replace("FILE", str(evil))))
    path = write_suite(tiny)
    run = ["run", path, "--scheduler", "inline", "--results", str(tmp_path / "results")]
    assert {run_command(run)} <= {2, 3}
    assert not (tmp_path / "executed").exists()
    pickle.loads(evil.read_bytes())  # the file does what it is planted for
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "name", ["name", "mixer", "mixer_args", "num_classes", "img_size", "in_chans", "features_only"]
)
def test_what_lsbench_sets_itself_is_told_with_its_place(tiny, write_suite, name):
    tiny["variants"][0]["model_args"] = {name: 3}
    tiny["variants"].append({"name": "k{k}", "matrix": {f"model_args.{name}": [1]}})
    with pytest.raises(ConfigError) as told:
        load_suite(write_suite(tiny))
    found = [line for line in told.value.problems if "lsbench sets this argument itself" in line]
    assert len(found) == 2
    assert f"variants[0].model_args.{name}" in found[0]
    tiny["variants"] = [{"name": "a", "mixer": "ls_conv", "mixer_args": {name: 3}}]
    load_suite(write_suite(tiny))  # the mixer itself refuses it, in the first process of a run
