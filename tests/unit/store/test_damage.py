import pytest

from lsbench.core.errors import NothingMeasuredError, StoreError
from lsbench.core.plain_warnings import LsbenchWarning
from lsbench.store.damage import explained, read_each
from lsbench.store.results import ResultsFolder


@pytest.fixture
def folders(tmp_path):
    return [ResultsFolder(tmp_path / name) for name in ("a", "b", "c")]


def reader(**bad):
    def read(folder):
        if folder.root.name in bad:
            raise bad[folder.root.name]
        return folder.root.name

    return read


def test_a_damaged_folder_hides_only_itself(folders):
    with pytest.warns(LsbenchWarning, match="it is torn") as told:
        assert read_each(folders, reader(b=StoreError("it is torn"))) == ["a", "c"]
    assert len(told) == 1


def test_if_none_can_be_read_that_is_the_error_with_a_line_for_each(folders):
    bad = {name: StoreError(f"{name} is torn") for name in "abc"}
    with pytest.raises(StoreError) as caught:
        read_each(folders, reader(**bad))
    assert str(caught.value).splitlines() == ["a is torn", "b is torn", "c is torn"]


@pytest.mark.parametrize("error", [KeyError("x"), OverflowError("too\nlarge"), AttributeError("a")])
def test_any_error_of_reading_is_one_line_that_names_the_folder(error, tmp_path):
    with pytest.raises(StoreError) as caught, explained(tmp_path):
        raise error
    assert str(caught.value).startswith(f"{tmp_path}: cannot be read ({type(error).__name__}: ")
    assert "\n" not in str(caught.value)


def test_what_the_system_refuses_names_the_file(tmp_path):
    with pytest.raises(StoreError, match=r"x: cannot be read \(Permission denied\)"), explained(tmp_path):
        raise PermissionError(13, "Permission denied", str(tmp_path / "x"))


def test_other_errors_of_lsbench_pass(folders):
    with pytest.raises(NothingMeasuredError):
        read_each(folders, reader(a=NothingMeasuredError("nothing")))
