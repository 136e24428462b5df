import sys
from types import SimpleNamespace

import torch

import lsbench.models.ops.ska
from lsbench.models.ops.inductor import stays_whole

OPERATOR = torch.ops.lsbench.ska.default


def stand_in(known):
    made = []

    def make_fallback(operator, **options):
        made.append((operator, options["warn"]))
        known[operator] = made

    module = SimpleNamespace(lowerings=known, make_fallback=make_fallback, constrain_to_fake_tensors=None)
    return module, made


def test_an_operator_becomes_a_fallback_once(monkeypatch):
    module, made = stand_in({})
    monkeypatch.setitem(sys.modules, "torch._inductor.lowering", module)
    stays_whole(OPERATOR)
    stays_whole(OPERATOR)
    assert made == [(OPERATOR, False)]


def test_without_inductor_nothing_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch._inductor.lowering", raising=False)
    stays_whole(OPERATOR)
    assert "torch._inductor.lowering" not in sys.modules


def test_fake_kernels_say_it(monkeypatch):
    module, made = stand_in({})
    monkeypatch.setitem(sys.modules, "torch._inductor.lowering", module)
    x, weight = torch.empty(1, 8, 4, 4, device="meta"), torch.empty(1, 2, 9, 4, 4, device="meta")
    lsbench.models.ops.ska.ska(x, weight)
    assert (OPERATOR, False) in made
