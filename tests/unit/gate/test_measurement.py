import numpy as np
import pytest

from lsbench.gate.measurement import GateRow, Images, Pairs, Resamples, RowKey
from lsbench.store.resampled_numbers import Resampled
from lsbench.store.right_images import RightImages


@pytest.mark.parametrize("count", [1, 7, 8, 9, 10_000])
def test_bits_come_back_as_they_were(count):
    right = np.random.default_rng(count).random(count) < 0.7
    images = Images.pack(RightImages.pack(right, "sha"))
    assert (images.right() == right).all()
    assert images.right().shape == (count,)
    assert len(images.bits) <= 4 * -(-count // 8) / 3 + 4


def test_samples_come_back_in_order_and_to_seven_digits():
    rng = np.random.default_rng(0)
    candidate, control = rng.lognormal(-5, 0.1, 50), rng.lognormal(-6, 0.1, 50)
    pairs = Pairs.pack(candidate, control)
    assert pairs.ratios() == pytest.approx(candidate / control, rel=1e-6)
    assert pairs.control_s() == pytest.approx(np.quantile(control, 0.1), rel=1e-6)


def test_what_does_not_fit_its_count_is_refused():
    images = Images.pack(RightImages.pack(np.ones(9, dtype=bool), "sha")).model_copy(update={"count": 17})
    with pytest.raises(ValueError, match="expected the bits of 17 images, found 16"):
        images.right()
    pairs = Pairs.pack(np.ones(3), np.ones(3)).model_copy(update={"count": 4})
    with pytest.raises(ValueError, match="expected 8 samples, found 6"):
        pairs.ratios()


def test_a_row_has_a_mean_only_if_all_its_seeds_have_a_value(make_row):
    row = make_row("top1", [0.5, 0.7])
    assert row.mean == pytest.approx(0.6)
    assert make_row("top1", [0.5, None]).mean is None
    assert row.machines == {"a cpu"}
    assert GateRow.model_validate_json(row.model_dump_json()) == row
    assert str(RowKey("ls", "top1", "p", None)) == "ls top1"


def test_resamples_come_back_as_they_were_and_damaged_ones_are_refused():
    values = np.array([0.1, np.nan, 0.3])
    packed = Resamples.pack(Resampled(0.2, values, 7, "sha"))
    assert packed.unpack() == pytest.approx(values, nan_ok=True)
    with pytest.raises(ValueError, match="buffer size"):
        packed.model_copy(update={"values": packed.values[:12]}).unpack()
