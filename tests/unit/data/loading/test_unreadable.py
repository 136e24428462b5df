import logging

import pytest

from lsbench.core.errors import DataError
from lsbench.data.loading.image_list import list_images
from lsbench.data.loading.unreadable import UnreadableBudget, decode_readable


@pytest.fixture
def images(colours):
    """Images 3 and 4 of 12 cannot be read, nor can the last."""
    for name in ("n1/3.png", "n2/0.png", "n3/3.png"):
        (colours.split("train") / name).write_bytes(b"no image")
    return list_images(colours, "train")


def test_the_next_readable_image_stands_in(images):
    for index, stand_in, failed in ((2, 2, []), (3, 5, ["n1/3.png", "n2/0.png"]), (11, 0, ["n3/3.png"])):
        image, found, failures = decode_readable(images, index, max_unreadable=2)
        assert image.tobytes() == images.decode(stand_in).tobytes()
        assert found == stand_in
        assert [path for path, _ in failures] == failed


def test_it_gives_up_when_the_budget_is_surely_spent(images):
    image, _, failures = decode_readable(images, 3, max_unreadable=1)
    assert image is None
    assert len(failures) == 2


def test_each_image_is_named_once_and_counted_once(caplog):
    budget = UnreadableBudget(2)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            budget.spend([("b", "at b"), ("a", "at a")])
    assert budget.paths == ("a", "b")
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == ["at b", "at a"]
    with pytest.raises(DataError, match=r"at most 2 unreadable images \(max_unreadable\), found 3, .*: at c"):
        budget.spend([("a", "at a"), ("c", "at c")])


def test_without_a_budget_the_first_one_fails_in_its_own_words():
    with pytest.raises(DataError, match=r"^at a$"):
        UnreadableBudget(0).spend([("a", "at a")])
