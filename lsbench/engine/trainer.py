"""Train a model by a recipe, from scratch or from its newest checkpoint.

All randomness of an epoch depends on (seed, epoch, rank), that of a batch on (seed, update, chunk), and a
checkpoint within an epoch holds the state of every random stream. So a training that is stopped anywhere and
resumed gives the same weights as one that never stopped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lsbench.core.errors import ConfigError, DataError, DivergedError, PreemptedError
from lsbench.core.stopping import (
    holding_off_stop,
    is_asked_to_stop,
    stopping_at_once,
)
from lsbench.core.waits import announce
from lsbench.data.loading.random_state import put_random_state, read_random_state
from lsbench.data.loading.sample_rng import derive_seed
from lsbench.engine import weights
from lsbench.engine.checkpoints import Checkpoints
from lsbench.engine.clipping import clip_gradients
from lsbench.engine.distributed import (
    World,
    accumulating,
    current_world,
    from_first_rank,
    gather_over_ranks,
    sum_over_ranks,
    synchronised_batch_norm,
    wrap,
)
from lsbench.engine.loss_watch import LOOK_EVERY, LossWatch
from lsbench.engine.process import keep_freed_memory, seed_everything
from lsbench.engine.schedule import Schedule
from lsbench.engine.training_spec import TrainingSpec
from lsbench.engine.training_state import Progress, TrainingState
from lsbench.engine.training_task import TrainingTask
from lsbench.models.ops.suited import loops_if

EMIT_EVERY_S = 0.5
MAX_BACK_OFFS = 3
BACK_OFF = 0.5
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Emit = Callable[[dict[str, Any]], None]
Validate = Callable[[nn.Module], dict[str, float]]


class EpochLoader(Protocol):
    """This rank's chunks of every batch of an epoch, as a pure function of (seed, epoch)."""

    def set_epoch(self, epoch: int, start_update: int = 0) -> None:
        """Set the epoch and the first update of the next iteration."""

    def __len__(self) -> int:
        """Return the number of updates per epoch."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over chunks, as the training's task takes them."""


class Trainer:
    """One training.

    Attributes:
        model: The model itself, without wrappers.
        state: Everything that a checkpoint holds.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: TrainingSpec,
        loader: EpochLoader,
        checkpoints: Checkpoints,
        task: TrainingTask,
        *,
        seed: int,
        device: str = "cpu",
        limit: int | None = None,
    ) -> None:
        """Prepare a training and restore its newest checkpoint, if there is one.

        If this process has joined a world, all its ranks do the same with the same arguments.

        Args:
            model: The model that the task calls; moved to `device`.
            recipe: The settings.
            loader: The training split.
            checkpoints: Where the training keeps its state.
            task: Makes the loss to minimise of a batch.
            seed: Seed of everything random.
            device: ``"cpu"`` or ``"cuda"``.
            limit: Stop after this many updates in all, or None.

        Raises:
            DataError: If the training split holds less than one batch.
            ConfigError: If the batch cannot be shared by the ranks.
            StoreError: If a checkpoint is damaged or has another architecture.
        """
        if len(loader) == 0:
            raise DataError(f"the training split holds less than one batch of {recipe.batch_size} images")
        self.recipe, self.loader, self.checkpoints = recipe, loader, checkpoints
        self.seed, self.device, self.world = seed, device, current_world()
        if device == "cpu":
            keep_freed_memory()
        self.memory_format = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.chunks = _chunks(recipe, self.world) // self.world.size
        self.steps = len(loader)
        whole = recipe.updates(self.steps)
        self.total = whole if limit is None else min(limit, whole)
        model = model.to(device).to(memory_format=self.memory_format)
        self.model = synchronised_batch_norm(model) if recipe.sync_batch_norm else model
        self.state = TrainingState.create(self.model, recipe, device=device)
        self.schedule = Schedule(self.state.optimizer, recipe, steps=self.steps, total=self.total)
        self.task = task.to(device)
        self.watch = LossWatch(recipe.max_loss, settling=recipe.settling)
        if self.world.is_first:
            self.checkpoints.prepare()
        self._resume()
        if recipe.is_compiled:
            announce("compiling the model")
        compiled = torch.compile(self.model) if recipe.is_compiled else self.model
        self.forward: nn.Module = wrap(compiled, self.world)  # type: ignore[arg-type]  # what compile returns

    @property
    def progress(self) -> Progress:
        """Progress of the training."""
        return self.state.progress

    @property
    def epochs(self) -> int:
        """Epochs of the training; a limit may cut the last one short."""
        return -(-self.total // self.steps)

    @property
    def planned_epochs(self) -> int:
        """Epochs that the recipe asks for, whatever the limit."""
        return self.recipe.epochs_of(self.steps)

    def _resume(self) -> None:
        """Resume from the newest checkpoint, as chosen by the first rank."""
        newest = from_first_rank(self.checkpoints.newest_step() if self.world.is_first else None)
        if newest is not None:
            found = self.checkpoints.load(newest, device=self.device)
            self.state.restore(found, steps=self.steps, where=self.checkpoints.name_of(newest))
        self.watch.first = self.progress.first_loss
        self.watch.last = self.progress.last_loss

    def run(self, emit: Emit, validate: Validate) -> Progress:
        """Train to the last epoch.

        Args:
            emit: Receives progress events.
            validate: Returns values of a model on the validation split, to be stored with the epoch.

        Raises:
            DivergedError: If the loss is no longer finite or has exploded, and no retry is left.
            PreemptedError: If the process was asked to stop, after a checkpoint is written.
        """
        with holding_off_stop(), loops_if(self.recipe.takes_loops):
            return self._run(emit, validate)

    def _run(self, emit: Emit, validate: Validate) -> Progress:
        retries = self.recipe.on_divergence == "retry_lower_lr"
        if retries and self.progress.update == 0:
            self._save()  # a state to return to
        while self.progress.epoch < self.epochs:
            try:
                self._train_epoch(emit)
            except DivergedError as error:
                if not retries or self.progress.back_offs == MAX_BACK_OFFS:
                    raise
                self._back_off(str(error), emit)
                continue
            self._end_epoch(emit, validate)
        return self.progress

    def _back_off(self, reason: str, emit: Emit) -> None:
        """Return to the newest checkpoint and continue at half the learning rate."""
        self._resume()
        self.progress.back_offs += 1
        self.progress.lr_scale *= BACK_OFF
        self._save()  # so that the lower rate survives an interruption
        where = {"update": self.progress.update, "lr_scale": self.progress.lr_scale}
        emit({"ev": "back_off", **where, "reason": reason})

    def _train_epoch(self, emit: Emit) -> None:
        """Train the remaining updates of the current epoch."""
        progress = self.progress
        epoch, begun = progress.epoch, progress.update - progress.epoch * self.steps
        self._prepare_randomness(epoch, begun)
        self.watch.start_epoch(progress.epoch_loss if begun else 0.0)
        self.model.train()
        images_seen, clock = 0, _Clock(self.recipe.checkpoint_minutes * 60)
        updates = min(self.steps, self.total - epoch * self.steps)
        if begun < updates:  # else it was stopped in the validation
            self.loader.set_epoch(epoch, begun)
            batches = iter(self.loader)
        for step in range(begun, updates):
            lr = self.schedule.set_rate(progress.update, scale=progress.lr_scale)
            self._set_epoch()
            loss, images = self._update(batches, clock)
            self.watch.add(progress.update, lr, loss)
            progress.update += 1
            images_seen += images
            if clock.is_emit_time():
                rate = images_seen * self.world.size / clock.elapsed_s()
                self._emit_step(emit, epoch, step + 1, updates, rate)
            self._save_if_due(clock, is_last=step + 1 == updates)
        self.watch.look()
        progress.note_times(clock.elapsed_s(), clock.waited_s)

    def _set_epoch(self) -> None:
        for follow in self.state.scheduled:
            follow(self.progress.update / self.steps, self.total / self.steps)

    def _prepare_randomness(self, epoch: int, begun: int) -> None:
        """Seed the random streams for an epoch, or restore the state after its first updates."""
        if begun and self.progress.random is not None and self.world.is_first:
            put_random_state(self.progress.random)
        elif self.world.is_first:
            seed_everything(self.seed * 100_003 + epoch)
        else:
            seed_everything(derive_seed(self.seed, epoch, begun, self.world.rank))

    def _save_if_due(self, clock: _Clock, *, is_last: bool) -> None:
        """Save if it is time or a rank is asked to stop; ranks agree on it, after all have read the losses.

        Args:
            clock: The epoch's.
            is_last: Whether the epoch has no further update; its end is saved anyway.

        Raises:
            PreemptedError: After the checkpoint is written, if a rank is asked to stop.
        """
        if self.world.is_shared and self.progress.update % LOOK_EVERY and not is_last:
            return
        told = gather_over_ranks((is_asked_to_stop(), clock.is_save_time()))
        must_stop = any(asked for asked, _ in told)
        if must_stop or (told[0][1] and not is_last):
            self._save()
        if must_stop:
            from_first_rank(None)  # which has written the checkpoint now; no rank ends before
            raise PreemptedError("asked to stop (SIGTERM); the training is saved and goes on elsewhere")

    def _update(self, batches: Iterator[Any], clock: _Clock) -> tuple[Tensor, int]:
        """Train on one batch, chunk by chunk; return its mean loss over all ranks and this rank's images."""
        state = self.state
        total = torch.zeros((), device=self.device)
        images_seen = 0
        state.optimizer.zero_grad(set_to_none=True)
        for chunk in range(self.chunks):
            batch = clock.wait_for(batches)
            with accumulating(self.forward, is_last=chunk + 1 == self.chunks):
                loss = self._loss(batch, chunk) / self.chunks
                state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
            images_seen += self.task.count(batch)
        if self.recipe.clip is not None:
            state.scaler.unscale_(state.optimizer)
            clip_gradients(self.model.parameters(), self.recipe.clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.ema is not None:
            state.ema.update(self.model)
        return sum_over_ranks(total) / self.world.size, images_seen

    def _loss(self, batch: Any, chunk: int) -> Tensor:
        number = chunk * self.world.size + self.world.rank  # of the chunk in the whole batch
        seed = derive_seed(self.seed, self.progress.update, number)
        prepared = self.task.prepare(batch, device=self.device, memory_format=self.memory_format, seed=seed)
        dtype = AMP_DTYPES.get(self.recipe.precision)
        with torch.autocast(self.device, dtype=dtype, enabled=dtype is not None):
            return self.task.loss(self.forward, prepared)

    def _emit_step(self, emit: Emit, epoch: int, step: int, steps: int, images_per_s: float) -> None:
        if not self.world.is_shared:
            self.watch.look()  # ranks read at the same updates, so that all see a divergence together
        where = {"epoch": epoch + 1, "epochs": self.epochs, "step": step, "steps": steps}
        loss = round(self.watch.total / step, 4)
        emit({"ev": "step", **where, "loss": loss, "images_per_s": round(images_per_s, 1)})

    def _end_epoch(self, emit: Emit, validate: Validate) -> None:
        """Validate, store the epoch's values and save."""
        progress = self.progress
        epoch = progress.epoch
        self._set_epoch()
        validated = self._validate(validate) if self.recipe.validates_after(epoch, epochs=self.epochs) else {}
        updates = min(self.steps, self.total - epoch * self.steps)
        entry = {"loss": self.watch.total / updates, "lr": self.state.optimizer.param_groups[0]["lr"]}
        entry |= progress.take_times()
        if progress.lr_scale != 1.0:
            entry["lr_scale"] = progress.lr_scale
        progress.history.append({**entry, **validated})
        progress.epoch = epoch + 1
        self._save()
        emit({"ev": "epoch", "epoch": epoch + 1, "epochs": self.epochs, **entry, **validated})

    def _validate(self, validate: Validate) -> dict[str, float]:
        """Return the values of the model and of its average.

        The first rank ends at once if it is asked to stop meanwhile, as its state is whole.

        Raises:
            PreemptedError: If it is, after the checkpoint is written.
        """
        may_stop = stopping_at_once() if self.world.is_first else contextlib.nullcontext()
        try:
            with may_stop:
                found = dict(validate(self.model))
                if self.state.ema is not None:
                    averaged = validate(self.state.ema.module)
                    found |= {f"ema_{name}": value for name, value in averaged.items()}
        except PreemptedError:
            self._save()
            raise
        return found

    def save_weights(self, folder: Path) -> None:
        """Write the trained weights, and their average, for later jobs; on the first rank.

        Of the checkpoints, only the newest is kept from then on.
        """
        if not self.world.is_first:
            return
        weights.save(folder / weights.WEIGHTS, self.model.state_dict())
        if self.state.ema is not None:
            weights.save(folder / weights.EMA, self.state.ema.module.state_dict())
        self.checkpoints.keep_newest()

    def _save(self) -> None:
        self.watch.look()
        progress = self.progress
        progress.epoch_loss, progress.first_loss, progress.last_loss = (
            self.watch.total,
            self.watch.first,
            self.watch.last,
        )
        progress.random = read_random_state(self.device)
        if self.world.is_first:
            self.checkpoints.save(progress.update, self.state.read())


class _Clock:
    """Times progress events and saves, and measures the time spent waiting for batches."""

    def __init__(self, save_every_s: float) -> None:
        self._started = self._spoke = self._saved = time.monotonic()
        self._save_every_s = save_every_s
        self.waited_s = 0.0

    def wait_for(self, batches: Iterator[Any]) -> Any:
        started = time.monotonic()
        batch = next(batches)
        self.waited_s += time.monotonic() - started
        return batch

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def is_emit_time(self) -> bool:
        now = time.monotonic()
        if now - self._spoke < EMIT_EVERY_S:
            return False
        self._spoke = now
        return True

    def is_save_time(self) -> bool:
        now = time.monotonic()
        if now - self._saved < self._save_every_s:
            return False
        self._saved = now
        return True


def _chunks(recipe: TrainingSpec, world: World) -> int:
    try:
        return recipe.chunks(world.size)
    except ValueError as error:
        raise ConfigError(f"{error}; change batch_size, device_batch_size or `resources`") from error
