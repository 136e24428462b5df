from lsbench.export.numbers import known_numbers
from lsbench.models.macs import count_macs


def test_of_a_model_its_cost_is_known(make_subject):
    subject = make_subject("resnet18")
    found = {one.number.metric: (one.number.value, one.job) for one in known_numbers(subject)}
    assert found.keys() == {"params", "macs", "macs_paper"}
    assert found["params"] == (sum(one.numel() for one in subject.model.parameters()), "")
    assert found["macs"] == (count_macs(subject.model, (3, 32, 32)).total, "")
