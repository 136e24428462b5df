import pytest

from lsbench.models.checks import check_odd_kernel, check_positive, count_groups


def test_good_values_pass_through():
    assert check_odd_kernel("kernel_small", 3) == 3
    assert check_positive("reduction", 4) == 4
    assert count_groups(64, 8) == 8


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, None])
def test_only_positive_whole_numbers(value):
    with pytest.raises(ValueError, match="kernel must be a positive whole number"):
        check_odd_kernel("kernel", value)


def test_even_kernels_have_no_centre():
    with pytest.raises(ValueError, match="kernel_large must be odd, got 6"):
        check_odd_kernel("kernel_large", 6)


def test_groups_divide_the_channels():
    with pytest.raises(ValueError, match="channels_per_group 7 does not divide the 64 channels"):
        count_groups(64, 7)
