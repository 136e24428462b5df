"""Train with several processes (ranks): the world of ranks, and their communication.

A world is started by torchrun, whose environment variables give the rank of a process. Every function here
also works in a world of one, without communication.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # documented, not in __all__
from torch.nn.parallel import DistributedDataParallel

from lsbench.engine.batch_norm import is_synchronised, synchronise

T = TypeVar("T")

#: Time a rank waits for the others. Loading data or a validation on the first rank may take long.
PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class World:
    """The rank of this process and the number of ranks.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes that train one model together.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """True for the rank that writes, logs and reports."""
        return self.rank == 0

    @property
    def is_shared(self) -> bool:
        """True if there are other ranks."""
        return self.size > 1


def current_world() -> World:
    """Return the world that this process has joined; a single process is the first of one."""
    if dist.is_available() and dist.is_initialized():
        return World(dist.get_rank(), dist.get_world_size())
    return World()


def ranks_on_this_node() -> int:
    """Return the number of ranks of this world on this node, including this one."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def join_world(device: str) -> World:
    """Join the world that the environment describes and return this process's place in it.

    Args:
        device: ``"cpu"`` (ranks communicate by gloo) or ``"cuda"`` (by NCCL, through the current device).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        backend = "nccl" if device == "cuda" else "gloo"
        bound = torch.device("cuda", torch.cuda.current_device()) if device == "cuda" else None
        dist.init_process_group(backend, timeout=PATIENCE, device_id=bound)
    return current_world()


def leave_world() -> None:
    """Leave the world that this process has joined, if any."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def synchronised_batch_norm(model: nn.Module) -> nn.Module:
    """Replace batch normalisations of `model` by ones over the batches of all ranks, and return the model.

    On the GPU these are torch's ``SyncBatchNorm``, which refuses CPU tensors; on the CPU they are lsbench's
    own. Parameters, running statistics and their names stay. In a world of one the model is unchanged.

    Raises:
        ConfigError: If the model has a batch normalisation that cannot be synchronised.
    """
    if not current_world().is_shared:
        return model
    on_gpu = any(parameter.is_cuda for parameter in model.parameters())
    return synchronise(model, on_gpu=on_gpu)


def wrap(model: nn.Module, world: World) -> nn.Module:
    """Wrap `model` so that its backward pass averages the gradients over all ranks.

    The state dict of the wrapper has other names: use the model itself for checkpoints. If batch
    normalisation is not synchronised, all ranks use the first rank's running statistics.
    """
    if not world.is_shared:
        return model
    on_gpu = next(model.parameters()).is_cuda
    devices = [torch.cuda.current_device()] if on_gpu else None
    with warnings.catch_warnings():
        # Renamed in torch 2.14; 2.11 only knows this name.
        warnings.filterwarnings("ignore", message=".*broadcast_buffers.*", category=FutureWarning)
        return DistributedDataParallel(
            model,
            device_ids=devices,
            broadcast_buffers=not is_synchronised(model),
            gradient_as_bucket_view=True,
        )


def accumulating(model: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """Return the context of one forward and backward pass of an update with several passes.

    Args:
        model: As :func:`wrap` returned it.
        is_last: Whether it is the update's last pass: gradients are exchanged only then.
    """
    if is_last or not isinstance(model, DistributedDataParallel):
        return contextlib.nullcontext()
    return model.no_sync()


def share_buffers(model: nn.Module) -> None:
    """Give every rank the first rank's buffers (running statistics), so that all evaluate the same model."""
    if current_world().is_shared:
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Return the sum of every rank's `tensor`, the same on all ranks; `tensor` is not changed."""
    if not current_world().is_shared:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def gather_over_ranks(value: T) -> list[T]:
    """Return every rank's `value`, in the order of ranks, on all ranks.

    Args:
        value: Anything that can be pickled; tensors must be on the CPU.
    """
    world = current_world()
    if not world.is_shared:
        return [value]
    values: list[T | None] = [None] * world.size
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]  # all are filled now


def from_first_rank(value: T) -> T:
    """Return the first rank's `value` on all ranks, for a decision that one rank makes for all.

    Args:
        value: Anything that can be pickled; the values of other ranks are ignored.
    """
    if not current_world().is_shared:
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def shared_counter() -> Callable[[], int]:
    """Return a counter over all ranks together: 0, 1, 2, ..., no number is given twice.

    All ranks call this function at the same point; afterwards each may call the counter as often as it likes.
    """
    world = current_world()
    if not world.is_shared:
        return itertools.count().__next__
    host = os.environ["MASTER_ADDR"]
    hosted = host_store(host) if world.is_first else None
    port = from_first_rank(hosted.port if hosted else 0)
    store = hosted or TCPStore(host, port, is_master=False)
    return lambda: int(store.add("count", 1)) - 1


def host_store(host: str, timeout: timedelta = PATIENCE) -> TCPStore:
    """Return a store for the ranks at a free port of this machine.

    At an address of the loopback interface, it listens there alone; torch itself listens on all interfaces.
    """
    if not host.startswith("127."):
        return TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timeout)
    listener = socket.create_server((host, 0))
    port, descriptor = listener.getsockname()[1], listener.detach()  # the store closes it
    return TCPStore(
        host,
        port,
        is_master=True,
        wait_for_workers=False,
        timeout=timeout,
        multi_tenant=True,
        master_listen_fd=descriptor,
    )
