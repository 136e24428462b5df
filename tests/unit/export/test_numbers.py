from types import SimpleNamespace

from lsbench.export import numbers
from lsbench.export.numbers import known_numbers
from lsbench.models.macs import count_macs


def test_of_a_model_its_cost_is_known(make_subject):
    subject = make_subject("resnet18")
    found = {one.number.metric: (one.number.value, one.job) for one in known_numbers(subject)}
    assert found.keys() == {"params", "params_fused", "macs", "macs_paper"}
    assert found["params"] == (sum(one.numel() for one in subject.model.parameters()), "")
    assert found["macs"] == (count_macs(subject.model, (3, 32, 32)).total, "")


def test_numbers_of_earlier_code_are_not_those_of_the_weights(make_subject, monkeypatch):
    def job(label, due):
        spec = SimpleNamespace(needs={"train": "train-1"}, spec={})
        done = SimpleNamespace(is_done=lambda name: True)
        return SimpleNamespace(label=label, id=label, due=due, is_current=True, job=spec, folder=done)

    number = SimpleNamespace(metric="top1", value=0.5, is_of_a_part=False)
    jobs = [job("standing", ""), job("stale", "code of metric acme changed")]
    monkeypatch.setattr(numbers, "known_jobs", lambda folder: jobs)
    monkeypatch.setattr(numbers, "read_job", lambda one: SimpleNamespace(numbers=[number]))
    training = SimpleNamespace(known=SimpleNamespace(id="train-1", folder=None))
    subject = SimpleNamespace(training=training, is_ema=False)
    assert [one.job for one in numbers._tests(subject)] == ["standing"]
