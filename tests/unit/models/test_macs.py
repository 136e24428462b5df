import json
import math
from pathlib import Path

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lsbench.core.registry import MIXERS
from lsbench.models.factory import create_model
from lsbench.models.macs import count_macs, count_paper_macs

FACTS = json.loads((Path(__file__).parent / "data" / "lsnet_facts.json").read_text())


#: Unfused and fused, of what the authors' facts leave out: counted once with their code.
OTHERS = {
    "lsnet_b": (1_258_606_656, 1_247_537_984),
    "lsnet_s_distill": (543_843_136, 538_981_696),
    "lsnet_b_distill": (1_259_119_680, 1_248_049_984),
}


@pytest.fixture(scope="module", params=[*sorted(FACTS), *OTHERS])
def family_member(request):
    return request.param, create_model(request.param, num_classes=1000, img_size=224).eval()


def test_unfused_lsnet_costs_what_was_published(family_member):
    name, model = family_member
    count = count_macs(model, (3, 224, 224))
    expected = FACTS[name]["macs_unfused"] if name in FACTS else OTHERS[name][0]
    assert count.total == sum(count.by_operator.values()) == expected
    assert set(count.uncounted) - {"div"} == {"add", "mean", "sigmoid", "mul", "index_select", "softmax"}


def test_fused_lsnet_costs_what_was_published(family_member):
    name, model = family_member
    count = count_macs(model.fuse(), (3, 224, 224))
    expected = FACTS[name]["macs_fused"] if name in FACTS else OTHERS[name][1]
    assert count.total == expected
    if name in FACTS:  # whose authors count SKA as a convolution
        by_operator = dict(count.by_operator)
        by_operator["conv"] += by_operator.pop("ska")
        assert by_operator == FACTS[name]["macs_fused_by_operator"]


def test_aggregation_is_counted_as_its_products():
    count = count_macs(create_model("lsnet_t", num_classes=1000, img_size=224), (3, 224, 224))
    assert count.by_operator["ska"] == 9 * 128 * 14 * 14 + 4 * 9 * 256 * 7 * 7 == 677_376


def test_fvcore_counts_it_without_being_told():
    model = create_model("lsnet_nano", num_classes=10, img_size=32).eval()
    with torch.no_grad():
        analysis = FlopCountAnalysis(model, torch.zeros(1, 3, 32, 32))
        assert analysis.total() == count_macs(model, (3, 32, 32)).total
        assert "lsbench::ska" not in analysis.unsupported_ops()


class Transform(nn.Module):
    def forward(self, x):
        return torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[2:])


def test_a_transform_and_its_inverse_are_counted_by_their_points():
    assert count_macs(Transform(), (3, 8, 6)).by_operator == {
        "fft_rfft2": round(3 * 1.25 * 48 * math.log2(48)),
        "fft_irfft2": round(3 * 1.25 * 48 * math.log2(48)),
    }


def test_modes_and_gradients_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4).eval(), nn.BatchNorm2d(4)).train()
    model[1].eval()
    before = model[2].running_mean.clone()
    count_macs(model, (3, 5, 5))
    assert [m.training for m in model] == [True, False, True]
    assert torch.equal(model[2].running_mean, before)


def test_modes_come_back_after_an_error():
    model = nn.Linear(4, 4).train()
    with pytest.raises(RuntimeError):
        count_macs(model, (3, 5, 5))
    assert model.training


class FusedAttention(nn.Module):
    def forward(self, x):
        q = x.flatten(2).transpose(1, 2)
        return F.scaled_dot_product_attention(q, q, q)


def test_fused_attention_is_both_matrix_products():
    assert count_macs(FusedAttention(), (8, 4, 4)).total == 16 * 16 * (8 + 8)


class Unknown(nn.Module):
    def forward(self, x):
        return torch.fft.fftn(x).abs()


def test_what_cannot_be_counted_is_named():
    count = count_macs(Unknown(), (1, 4, 4))
    assert count.total == 0
    assert count.uncounted == {"fft_fftn": 1, "abs": 1}


def _planted(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def test_an_operator_that_is_planted_shows_up_as_uncounted():
    planted = torch.library.custom_op("lsbench_test::planted", _planted, mutates_args=())
    planted.register_fake(torch.empty_like)

    class Planted(nn.Module):
        def forward(self, x):
            return planted(x)

    count = count_macs(nn.Sequential(nn.Conv2d(3, 4, 1), Planted()), (3, 4, 4))
    assert count.total == 3 * 4 * 16
    assert count.uncounted == {"lsbench_test::planted": 1}


def test_the_papers_count_is_that_of_the_fused_model():
    model = create_model("lsnet_t", num_classes=1000, img_size=224)
    assert count_paper_macs(model, (3, 224, 224)).total == FACTS["lsnet_t"]["macs_fused"]


#: What torch's counter knows: products of matrices, convolutions and SKA, two FLOPs each.
PRODUCTS = ("conv", "linear", "matmul", "addmm", "bmm", "einsum", "ska", "scaled_dot_product_attention")


@pytest.mark.parametrize("mixer", MIXERS.names())
def test_torchs_own_counter_finds_as_many_products(mixer):
    model = create_model("lsnet_nano", mixer=mixer, num_classes=10, img_size=64).eval()
    counted = count_macs(model, (3, 64, 64)).by_operator
    # Its counter does not know the CPU's own attention, so that is taken apart into matrix products.
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, 3, 64, 64))
    assert 2 * sum(counted.get(name, 0) for name in PRODUCTS) == counter.get_total_flops()
