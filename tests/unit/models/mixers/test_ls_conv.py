import pytest

from lsbench.models.macs import count_macs
from lsbench.models.mixers.ls_conv import LSConv


@pytest.mark.parametrize(
    ("large", "small", "per_group"), [(7, 3, 8), (9, 3, 8), (7, 5, 8), (7, 1, 8), (7, 3, 32)]
)
def test_cost_is_the_papers_formula_plus_norms(large, small, per_group):
    c, side = 64, 6
    groups = c // per_group
    # Section 3.3: HWC/4 * (3C + 2K_L^2 + (2G + 4)K_S^2), without normalisation.
    paper = side**2 * c * (3 * c + 2 * large**2 + (2 * groups + 4) * small**2) // 4
    module = LSConv(c, kernel_large=large, kernel_small=small, channels_per_group=per_group)
    count = count_macs(module, (c, side, side))
    norms = count.by_operator.pop("batch_norm") + count.by_operator.pop("group_norm")
    assert sum(count.by_operator.values()) == count.total - norms == paper


def test_names_are_those_of_the_authors_checkpoints():
    assert {key.split(".")[1] for key in LSConv(16).state_dict() if key.startswith("lkp")} == {
        "cv1",
        "cv2",
        "cv3",
        "cv4",
        "norm",
    }
