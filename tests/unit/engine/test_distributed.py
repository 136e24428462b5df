"""What the ranks of a world exchange; a world of one exchanges nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lsbench.engine import distributed
from lsbench.engine.distributed import World

RANK = """
from lsbench.engine.distributed import *
from torch import nn
result["world"] = world, current_world(), join_world("cpu")
own = torch.tensor([1.0 + world.rank])
result["sum"], result["own"] = sum_over_ranks(own), own
result["gathered"] = gather_over_ranks({"rank": world.rank})
count = shared_counter()
result["counted"] = [count() for _ in range(20)]
result["first"] = from_first_rank(f"said by {world.rank}")
torch.manual_seed(0)
model = nn.Linear(2, 1)
wrapped = wrap(synchronised_batch_norm(model), world)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
chunks = x[world.rank::2].split(1)
for number, chunk in enumerate(chunks):
    with accumulating(wrapped, is_last=number == 1):
        (wrapped(chunk).square().mean() / 2).backward()
    result.setdefault("grads", []).append(model.weight.grad.clone())
plain = wrap(nn.Sequential(nn.BatchNorm1d(2)), world)
plain.module[0].running_mean.fill_(float(world.rank))
result["broadcasts"] = wrapped.broadcast_buffers, plain.broadcast_buffers
share_buffers(plain.module)
result["mean"] = plain.module[0].running_mean
result["norm"] = type(synchronised_batch_norm(nn.BatchNorm2d(3))).__name__
"""
DIES = """
import os, torch.distributed as dist
from lsbench.scheduler.causes import is_lost_rank
if world.rank == 1:
    torch.save(result, sys.argv[1])
    os._exit(0)
try:
    for _ in range(100):
        dist.all_reduce(torch.ones(1))
except Exception as error:
    result["lost"], result["text"] = is_lost_rank(error), repr(error)
    torch.save(result, sys.argv[1])
    os._exit(0)
"""


@pytest.fixture(scope="module")
def ranks(run_ranks: Callable[..., Any]) -> list[dict[str, Any]]:
    return run_ranks(RANK)


def test_ranks_exchange_sums_values_and_decisions(ranks: list[dict[str, Any]]) -> None:
    assert [rank["world"] for rank in ranks] == [(World(0, 2),) * 3, (World(1, 2),) * 3]
    assert [rank["sum"].item() for rank in ranks] == [3.0, 3.0]
    assert [rank["own"].item() for rank in ranks] == [1.0, 2.0]
    assert [rank["gathered"] for rank in ranks] == [[{"rank": 0}, {"rank": 1}]] * 2
    assert [rank["first"] for rank in ranks] == ["said by 0"] * 2
    assert [rank["broadcasts"] for rank in ranks] == [(False, True)] * 2
    assert [rank["mean"].tolist() for rank in ranks] == [[0.0, 0.0]] * 2
    assert [rank["norm"] for rank in ranks] == ["AllReduceBatchNorm"] * 2


def test_ranks_count_together_and_give_no_number_twice(ranks: list[dict[str, Any]]) -> None:
    assert sorted(ranks[0]["counted"] + ranks[1]["counted"]) == list(range(40))
    alone = distributed.shared_counter()
    assert [alone(), alone(), alone()] == [0, 1, 2]


def test_gradients_are_those_of_the_whole_batch_after_the_last_pass_only(ranks: list[dict[str, Any]]) -> None:
    first, second = (rank["grads"] for rank in ranks)
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    model(x).square().mean().backward()
    torch.testing.assert_close(first[1], model.weight.grad)
    assert torch.equal(first[1], second[1])
    assert not torch.allclose(first[0], second[0])


def test_the_loss_of_another_rank_is_told_from_an_error_of_ones_own(run_ranks: Callable[..., Any]) -> None:
    survivor, _ = run_ranks(DIES)
    assert survivor["lost"], survivor["text"]


def test_a_process_on_its_own_is_a_world_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    world = distributed.join_world("cpu")
    assert world == World(0, 1) == distributed.current_world()
    assert world.is_first
    assert not world.is_shared
    model, value = nn.BatchNorm2d(3), torch.ones(2)
    assert distributed.synchronised_batch_norm(model) is model
    assert distributed.wrap(model, world) is model
    assert distributed.sum_over_ranks(value) is value
    assert distributed.gather_over_ranks("a") == ["a"]
    assert distributed.from_first_rank("a") == "a"
    with distributed.accumulating(model, is_last=False):
        pass
    distributed.leave_world()
