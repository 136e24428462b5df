import pytest
import torch

from lsbench.models.weights_digest import weights_sha256


@pytest.fixture
def state():
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2), "n": torch.tensor(3)}


def test_the_hash_follows_names_types_shapes_and_values_and_not_layout_or_order(state):
    expected = weights_sha256(state)
    assert len(expected) == 64
    assert weights_sha256(dict(reversed(state.items()))) == expected
    assert weights_sha256({**state, "a.weight": state["a.weight"].T.contiguous().T}) == expected
    others = [
        {**state, "a.bias": torch.ones(2)},
        {**state, "a.weight": state["a.weight"].reshape(3, 2)},
        {**state, "a.bias": torch.zeros(2, dtype=torch.float64)},
        {("b" if name == "n" else name): tensor for name, tensor in state.items()},
    ]
    assert len({weights_sha256(other) for other in others} | {expected}) == 5


def test_it_is_the_hash_that_stored_results_have(state):
    expected = "491067cd7afeeeedc5ff7f8c77f6d1e40243e4e7b939216e99059e97372da3a8"
    assert weights_sha256(state) == expected


def test_types_that_numpy_does_not_know_have_one_too():
    half = {"a": torch.ones(3, dtype=torch.bfloat16)}
    assert weights_sha256(half) != weights_sha256({"a": torch.zeros(3, dtype=torch.bfloat16)})
