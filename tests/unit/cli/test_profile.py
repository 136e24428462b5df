import json

import pytest

from lsbench.cli.main import run_command
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.models.macs import count_macs, count_paper_macs
from lsbench.timing.request import Built, Reply

NANO = ["profile", "lsnet_nano", "--img-size", "32", "--num-classes", "10"]


@pytest.fixture(scope="module")
def nano():
    return create_model("lsnet_nano", num_classes=10, img_size=32)


def test_one_model_is_counted_both_ways_and_module_by_module(nano, capsys):
    assert run_command([*NANO, "--by", "module", "--depth", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    plain = count_macs(nano, (3, 32, 32))
    assert found["macs"] == plain.total == found["by_module"]["macs"]
    assert (found["img_size"], found["num_classes"]) == (32, 10)
    assert found["macs_paper"] == count_paper_macs(nano, (3, 32, 32)).total < plain.total
    assert found["params"] == sum(parameter.numel() for parameter in nano.parameters())
    assert found["uncounted"] == plain.uncounted
    assert found["uncounted_ops"] == sum(plain.uncounted.values())
    assert [part["name"] for part in found["by_module"]["children"]][-1] == "head"
    assert "children" not in found["by_module"]["children"][0]


def test_people_see_a_tree_with_shares(capsys):
    assert run_command([*NANO, "--by", "module", "--mixer", "involution", "--fused"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("lsnet_nano with involution: 32x32 pixels, 10 classes\nparams (M): ")
    assert "├── blocks1 (Sequential)" in text
    assert "100.0 %" in text
    assert "without a formula: " in text


def test_operators_are_shown_with_the_dearest_first(capsys):
    assert run_command([*NANO, "--by", "operator"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith("%")]
    assert rows[:2] == ["conv", "batch_norm"]
    assert "ska" in rows


def test_a_model_is_timed_as_a_suite_does_it(capsys):
    words = [*NANO, "--throughput", "--max-s", "0.1", "--batch-size", "4", "--device", "cpu"]
    assert run_command([*words, "--mixer", "identity", "--fused", "--json"]) == 0
    found = {one["metric"]: one for one in json.loads(capsys.readouterr().out)["timings"]}
    assert found["peak_memory_mib"]["value"] > 0
    assert found["throughput"]["protocol"] == "b=4|fp32|nchw|fused|eager|res=32|cpu|threads=1|v2"
    assert found["throughput"]["setting"]["passes"] > 0


def test_people_see_a_timing_with_interval_and_protocol(capsys, monkeypatch):
    monkeypatch.setattr("lsbench.probes._timing.run_apart", reply_of)
    words = ["--latency", "--throughput", "--batch-size", "10", "--threads", "2", "--device", "cpu"]
    assert run_command([*NANO, *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    how = "fp32|nchw|unfused|eager|res=32|cpu|threads=2|v2"
    assert f"throughput (img/s): 100 [100, 100], n=40   (b=10|{how})" in lines
    assert f"latency (ms): 100.00 [100.00, 100.00], n=40   (b=1|{how})" in lines
    assert not any("GPU memory" in line for line in lines)  # nothing that this machine does not have
    assert any(line.startswith("latency, 99th percentile (ms): none, 40 undisturbed") for line in lines)


def reply_of(request):
    assert (request.num_classes, request.subject.mixer, request.setting.threads) == (10, None, 2)
    return Reply(seconds=[0.1] * 40, is_disturbed=[False] * 40, passes=40)


def test_a_model_is_timed_in_a_runtime_after_it_was_compared(capsys, monkeypatch):
    def answer(request):
        seen.append(request.action)
        built = Built(seconds={"export": 1.0}, difference=2e-7, agreement=1.0, images=32)
        return Reply(built=built) if request.action == "build" else reply_of(request)

    seen = []
    for module in ("_timing", "_programs"):
        monkeypatch.setattr(f"lsbench.probes.{module}.run_apart", answer)
    words = ["--latency", "--threads", "2", "--device", "cpu", "--runtime", "openvino", "--precision", "int8"]
    assert run_command([*NANO, *words]) == 0
    out = capsys.readouterr().out
    assert seen == ["build", "time"]
    assert "latency (ms): 100.00 [100.00, 100.00], n=40   (b=1|int8|static|unfused|openvino=" in out
    assert "same top-1 as PyTorch (%): 100.0, n=32" in out


def test_a_runtime_that_cannot_do_it_is_one_line(capsys):
    words = ["--latency", "--device", "cpu", "--runtime", "onnxruntime", "--precision", "bf16"]
    assert run_command([*NANO, *words]) == 2
    assert capsys.readouterr().err.startswith(
        "lsbench: precision: onnxruntime cannot run bf16, only fp32, int8"
    )


def test_a_gpu_that_is_not_there_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run_command([*NANO, "--latency", "--device", "cuda"]) == 2
    assert capsys.readouterr().err.startswith("lsbench: --device cuda: torch finds no CUDA device")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profile", "lsnet_tt"], "unknown model 'lsnet_tt' (did you mean 'lsnet_t'?)"),
        (["profile", "lsnet_t", "--mixer", "involuton"], "--mixer: unknown mixer 'involuton'"),
    ],
)
def test_a_wrong_name_is_one_line(arguments, message, capsys):
    assert run_command(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_whole_detector_is_measured_on_a_model(capsys, monkeypatch):
    monkeypatch.setattr(
        "lsbench.probes._timing.run_apart",
        lambda request: Reply(seconds=[0.1] * 40, is_disturbed=[False] * 40),
    )
    words = ["profile", "lsnet_nano", "--task", "semantic_fpn", "--img-size", "60", "--num-classes", "5"]
    assert run_command([*words, "--latency", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Semantic FPN on lsnet_nano: 64x64 pixels, 5 classes"
    assert lines[1].startswith("Semantic FPN params (M): ")
    told = "padded=64x64|model=semantic_fpn|classes=5"
    assert any(line.startswith("Semantic FPN latency (ms): 100.00") and told in line for line in lines)
    model = create_downstream("semantic_fpn", "lsnet_nano", num_classes=5)
    assert run_command([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["macs"] == count_macs(model, (3, 64, 64)).total
    assert (found["task"], found["img_size"], found["num_classes"]) == ("semantic_fpn", [64, 64], 5)


def test_a_model_without_four_maps_is_one_line(capsys):
    assert run_command(["profile", "deit_tiny_patch16_224", "--task", "retinanet"]) == 2
    assert "four maps" in capsys.readouterr().err
