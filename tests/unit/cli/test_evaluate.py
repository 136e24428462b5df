import json

import pytest
import torch

from lsbench.core.job import JobContext
from lsbench.engine import weights
from lsbench.jobs.evaluate import JOB, EvaluateSpec
from lsbench.models.factory import create_model

TINY = "{name: fashion, test_images: 20, train_images: 40, val_images: 20}"


@pytest.fixture
def evaluate(call, results):
    return lambda *words: call("evaluate", *words, "--results", results, "--threads", 1, "--device", "cpu")


@pytest.fixture
def of_the_suite(trained, tmp_path):
    """The records of the suite's own evaluation of the training."""
    job = trained.jobs["ls/evaluate/seed0"]
    torch.set_num_threads(1)
    needs = {"train": trained.folder.job_folder(trained.job.id)}
    spec = EvaluateSpec.model_validate(job.spec)
    records = JOB.run(JobContext(job, spec, tmp_path, needs, "cpu", lambda event: None))
    return [record.model_dump(mode="json") for record in records]


def test_a_training_is_evaluated_as_its_suite_does_it(evaluate, trained, of_the_suite):
    for asked in (trained.job.label, trained.job.id, trained.job.id[:-3], "ls/train", "ls/train/seed0"):
        code, out, err = evaluate(asked, "--json")
        assert (code, [json.loads(line) for line in out.splitlines()]) == (0, of_the_suite), err


def test_people_see_numbers_with_interval_and_protocol(evaluate, trained):
    code, out, err = evaluate("ls/train/seed0", "--metrics", "top1", "--metrics", "ece,top5")
    lines = out.splitlines()
    assert (code, err, len(lines)) == (0, "", 3)
    assert lines[0].startswith("top-1 (%): ")
    assert lines[0].endswith("], n=20   (test|res=32|n=20|v1, on fashion)")


def test_a_checkpoint_of_a_model_gives_the_same_numbers(evaluate, trained, of_the_suite):
    file = trained.folder.job_folder(trained.job.id) / weights.WEIGHTS
    code, out, _ = evaluate("lsnet_nano", "--mixer", "ls_conv", "--checkpoint", file, "--on", TINY, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["protocol"] for one in found] == ["test|pretrained|res=32|n=20|v1"] * 2
    told = ("metric", "value", "ci_low", "ci_high", "ci_method", "n", "setting", "dataset")
    assert [[one[key] for key in told] for one in found] == [
        [one[key] for key in told] for one in of_the_suite
    ]


def test_a_model_without_weights_is_called_random(evaluate):
    code, out, err = evaluate("resnet18", "--on", TINY, "--batch-size", 10, "--limit", 1, "--img-size", 40)
    assert code == 0
    assert "test|fresh|res=40|n=10|evenly|v1, on fashion" in out
    assert err == "random weights from seed 0: give --checkpoint FILE or --pretrained\n"


def test_another_precision_is_compared_with_fp32(evaluate, trained):
    code, out, err = evaluate("ls/train/seed0", "--metrics", "top1", "--precision", "bf16", "--json")
    found = {record["metric"]: record for record in map(json.loads, out.splitlines())}
    assert (code, err) == (0, "")
    assert list(found) == ["top1", "runtime_agreement", "runtime_difference", "top1_change"]
    assert found["top1"]["protocol"] == "test|bf16|fused|eager|res=32|n=20|cpu|v1"
    assert 1e-5 < found["runtime_difference"]["value"] < 0.1


def test_a_runtime_that_cannot_do_it_is_one_line(evaluate, trained):
    code, out, err = evaluate("ls/train/seed0", "--precision", "int8")
    assert (code, out) == (2, "")
    assert err == (
        "lsbench: --precision: eager cannot run int8, only fp32, bf16, fp16 on a CPU; "
        "fp32, bf16, fp16 on a GPU; choose one of these\n"
    )


def test_weights_of_other_classes_are_refused(evaluate, tmp_path):
    model = create_model("lsnet_nano", num_classes=4, img_size=32)
    torch.save(model.state_dict(), tmp_path / "four.pth")
    code, out, err = evaluate("lsnet_nano", "--checkpoint", tmp_path / "four.pth", "--on", TINY)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "four.pth' does not fit model 'lsnet_nano': its 'head.l' has 4 classes instead of 10" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lsnet_nani"], "unknown model 'lsnet_nani' (did you mean 'lsnet_nano'?); nor is it a training"),
        (
            ["ls/evaluate/seed0"],
            "expected a training, found a job without weights of its own: it uses those of train-",
        ),
        (["id/train/seed0"], "expected a finished training with weights, found done"),
        (["id/trein"], "no job or variant has this name"),
        (["ls/train", "--mixer", "cga"], "--mixer: not with ls/train, a training, which has its own"),
        (["ls/train", "--ema"], "no moving average of weights"),
        (["resnet18", "--ema"], "--ema: resnet18 is a model"),
        (["resnet18", "--checkpoint", "none.pth", "--on", TINY], "--checkpoint none.pth: does not exist"),
        (["resnet18", "--checkpoint", __file__, "--on", TINY], "is damaged or not a checkpoint"),
        (
            ["resnet18", "--checkpoint", __file__, "--pretrained"],
            "--pretrained and --checkpoint: give one of them",
        ),
        (["resnet18", "--on", "fashio"], "--on: unknown data set 'fashio' (did you mean 'fashion'?)"),
        (["resnet18", "--on", "{name: fashion, img_size: 3}"], "--on fashion: img_size: "),
        (["resnet18", "--on", "{nam: fashion}"], "expected {name: ..., and options}"),
        (["resnet18", "--on", TINY, "--metrics", "topp1"], "--metrics: unknown metric 'topp1'"),
        (["resnet18", "--on", TINY, "--split", "tst"], "--split: "),
        (["resnet18"], "expected the data set 'imagenet' on this machine"),
        (["resnet18", "--limit", str(2**63)], "--limit 9223372036854775808: expected a number from 1 to"),
        (["resnet18", "--mixer", "cgaa"], "--mixer: unknown mixer 'cgaa'"),
    ],
)
def test_what_cannot_be_is_one_line(evaluate, trained, words, message, monkeypatch):
    monkeypatch.delenv("LSBENCH_DATA", raising=False)
    code, out, err = evaluate(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_without_results_an_unknown_name_is_an_unknown_model(evaluate):
    code, _, err = evaluate("nope")
    assert (code, err.count("\n")) == (2, 1)
    assert "unknown model 'nope'" in err


def test_a_gpu_that_is_not_there_is_one_line(call, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = call("evaluate", "resnet18", "--on", TINY, "--device", "cuda")
    assert (code, err) == (2, "lsbench: --device cuda: torch finds no CUDA device here; use --device cpu\n")
