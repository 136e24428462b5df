"""A weight that can be read but not written, for modules that keep something computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_any, tree_map_only


class FrozenWeight(nn.Parameter):
    """A parameter with a copy of `weight`. Writing to it, or to a view of it, raises a RuntimeError.

    Whatever writes: operators in place, ``.data``, ``torch.nn.init``, optimizers, loading, arrays that share
    its memory. Reading is as of any parameter, ``clone()`` can be written, and files hold a plain parameter.

    Attributes:
        plain: The same memory as an ordinary tensor, for the owner of what was computed; it is never written.
        packed: What was computed from the weight, by the shape of the images.

    Example:
        >>> weight = FrozenWeight(torch.ones(2))
        >>> weight.data.mul_(3)
        Traceback (most recent call last):
        RuntimeError: a packed weight is frozen: use the model as it was before packed(), or weight.clone()
    """

    plain: Tensor
    packed: dict[torch.Size, Tensor]

    def __new__(cls, weight: Tensor) -> FrozenWeight:
        """Return a frozen copy."""
        return cls._around(weight.detach().clone())

    @classmethod
    def _around(cls, plain: Tensor) -> FrozenWeight:
        made: FrozenWeight = torch.Tensor._make_subclass(cls, plain, False)
        made.plain, made.packed = plain, {}
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator that reads; views of a frozen weight are frozen too."""
        kwargs = kwargs or {}
        for index, argument in enumerate(func._schema.arguments):
            value = args[index] if index < len(args) else kwargs.get(argument.name)
            if argument.is_write and tree_any(lambda leaf: isinstance(leaf, cls), value):
                _refuse()
        found = func(*_plain(args), **_plain(kwargs))
        views = [returned.alias_info for returned in func._schema.returns if returned.alias_info]
        if any(not view.is_write for view in views):
            return tree_map_only(Tensor, cls._around, found)
        return found

    @property
    def data(self) -> Tensor:
        """The weight, as frozen."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if value is not self:  # as in moving a module to where it is
            _refuse()

    def numpy(self, *, force: bool = False) -> NDArray[Any]:
        """Return an array that shares the memory and cannot be written."""
        array: NDArray[Any] = self.plain.numpy(force=force)
        array.flags.writeable = False
        return array

    def tolist(self) -> Any:
        """Return the values."""
        return self.plain.tolist()

    def untyped_storage(self) -> _FrozenStorage:  # type: ignore[override]
        """Return the place of the memory, which cannot be written."""
        return _FrozenStorage(self.plain.untyped_storage())

    def storage(self) -> NoReturn:
        """Refuse to share the memory."""
        _refuse()

    def _typed_storage(self) -> NoReturn:
        _refuse()

    def __dlpack__(self, **_: Any) -> NoReturn:
        """Refuse to share the memory."""
        _refuse()

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenWeight:
        """Return a copy that is frozen too."""
        copied = memo[id(self)] = FrozenWeight(self.plain)
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return a plain parameter for files, so that they can be read without this class."""
        return nn.Parameter(self.plain, requires_grad=False).__reduce_ex__(protocol)  # type: ignore[no-untyped-call]


class _FrozenStorage:
    """The address and size of a frozen weight's memory, for those who save or export it; nothing else."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        self.data_ptr, self.nbytes, self.size = storage.data_ptr, storage.nbytes, storage.size

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # a question of Python or torch, which has an answer for those without
            raise AttributeError(name)
        _refuse()

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        _refuse()


def _plain(tree: Any) -> Any:
    return tree_map_only(FrozenWeight, lambda weight: weight.plain, tree)


def _refuse() -> NoReturn:
    raise RuntimeError(
        "a packed weight is frozen: use the model as it was before packed(), or weight.clone()"
    )
