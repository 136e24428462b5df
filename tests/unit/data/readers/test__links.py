import pytest

from lsbench.core.errors import DataError
from lsbench.data.readers._links import require_reachable


def test_what_is_there_and_what_is_missing_pass(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for name in (".", "link", "missing"):
        require_reachable(tmp_path / name)


@pytest.mark.parametrize("target", ["gone", "link"])
def test_dead_and_looping_links_are_named(tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(DataError, match=rf"the link {tmp_path}/link leads to \({target}\), found nothing"):
        require_reachable(tmp_path / "link")
