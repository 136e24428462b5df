import copy
import io

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from lsbench.models.frozen_weight import FrozenWeight

ZEROS = torch.zeros(3, 4)
#: Every way to write that people use, or that touches the memory behind torch's back.
WRITES = {
    "in place": lambda w: w.mul_(0),
    "operator": lambda w: w.__iadd__(1),
    "entries": lambda w: w.__setitem__(0, 0.0),
    "chosen entries": lambda w: w.__setitem__(torch.tensor([0]), 0.0),
    "mask": lambda w: w.masked_fill_(torch.ones(3, 4, dtype=torch.bool), 0),
    "data in place": lambda w: w.data.mul_(0),
    "data copied": lambda w: w.data.copy_(ZEROS),
    "data entries": lambda w: w.data.__setitem__(0, 0.0),
    "data replaced": lambda w: setattr(w, "data", ZEROS),
    "set": lambda w: w.set_(ZEROS),
    "detached": lambda w: w.detach().zero_(),
    "view": lambda w: w.data.view(-1).zero_(),
    "transposed": lambda w: w.t().zero_(),
    "row": lambda w: w[0].zero_(),
    "parts": lambda w: w.chunk(2)[0].zero_(),
    "rows": lambda w: w.unbind()[0].zero_(),
    "init": nn.init.normal_,
    "init of data": lambda w: nn.init.kaiming_uniform_(w.data),
    "truncated init": lambda w: nn.init.trunc_normal_(w.data),
    "many": lambda w: torch._foreach_mul_([ZEROS.clone(), w], 0),
    "out": lambda w: torch.add(ZEROS, 1, out=w),
    "numpy": lambda w: w.numpy().fill(0),
    "numpy of data": lambda w: w.data.numpy().__imul__(0),
    "numpy of detached": lambda w: w.detach().cpu().numpy().__setitem__(0, 0),
    "asarray": lambda w: np.asarray(w).fill(0),
    "dlpack": lambda w: torch.from_dlpack(w).zero_(),
    "dlpack of numpy": lambda w: np.from_dlpack(w).fill(0),
    "storage": lambda w: w.untyped_storage().fill_(0),
    "typed storage": lambda w: w.storage().fill_(0),
    "storage entries": lambda w: w.untyped_storage().__setitem__(0, 0),
    "storage copied": lambda w: w.untyped_storage().copy_(ZEROS.untyped_storage()),
    "storage resized": lambda w: w.untyped_storage().resize_(0),
    "storage of data": lambda w: w.data.untyped_storage().fill_(0),
    "storage shared": lambda w: w.share_memory_(),
    "vector": lambda w: nn.utils.vector_to_parameters(torch.zeros(12), [w]),
}


@pytest.fixture
def weight():
    return FrozenWeight(torch.arange(1.0, 13.0).view(3, 4))


@pytest.mark.parametrize("is_inference", [False, True])
@pytest.mark.parametrize("way", WRITES)
def test_every_way_of_writing_raises(weight, way, is_inference):
    refused = pytest.raises((RuntimeError, ValueError), match=r"packed weight is frozen|read-only")
    with torch.inference_mode(is_inference), torch.no_grad(), refused:
        WRITES[way](weight)
    assert torch.equal(weight.clone(), torch.arange(1.0, 13.0).view(3, 4))


def test_an_optimizer_cannot_train_it(weight):
    optimizer = torch.optim.SGD([weight.requires_grad_()], lr=1.0)
    (weight * 2).sum().backward()
    assert torch.equal(weight.grad, torch.full((3, 4), 2.0))
    with pytest.raises(RuntimeError, match="packed weight is frozen"):
        optimizer.step()


def test_it_does_not_share_memory_with_its_source():
    source = torch.ones(2)
    weight = FrozenWeight(source)
    source.zero_()
    assert weight.tolist() == [1, 1]


def test_it_reads_as_any_parameter(weight):
    values = torch.arange(1.0, 13.0).view(3, 4)
    assert isinstance(weight, nn.Parameter)
    assert (weight.shape, weight.dtype, weight.numel()) == ((3, 4), torch.float32, 12)
    assert torch.equal(weight @ values.t(), values @ values.t())
    assert ZEROS.clone().copy_(weight).sum() == weight.sum() == weight.numpy().sum() == 78
    assert weight.clone().mul_(2).sum() == weight.bfloat16().mul_(2).sum() == 156
    assert weight.float() is weight
    assert "12." in repr(weight)


def test_copies_stay_frozen_and_files_hold_a_plain_parameter(weight):
    weight.packed[torch.Size([1])] = ZEROS
    twin = copy.deepcopy(weight)
    assert (type(twin), twin.packed) == (FrozenWeight, {})
    file = io.BytesIO()
    torch.save({"weight": weight, "view": weight.detach()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert {type(one) for one in loaded.values()} == {nn.Parameter}
    assert all(torch.equal(one, weight.clone()) for one in loaded.values())


def test_safetensors_save_it(weight):
    state = {"weight": weight, "other": nn.Parameter(ZEROS), "view": weight.detach()[1:]}
    with pytest.raises(RuntimeError, match="share memory"):
        save(state)
    del state["view"]
    assert load(save(state))["weight"].tolist() == weight.tolist()
