import pytest

from lsbench.cli import same_numbers
from lsbench.core.errors import UsageError

FILES = {"lsbench/engine/trainer.py": "2", "lsbench/models/fusion.py": "7"}


@pytest.fixture(autouse=True)
def written(monkeypatch):
    """A repository of two files, of which one was changed; return what was written."""
    found = []
    groups = {
        "lsbench/engine/trainer.py": [["1"]],
        "lsbench/models/fusion.py": [["7"]],
        "lsbench/gone.py": [["3"]],
    }
    monkeypatch.setattr(same_numbers, "read_groups", lambda: groups)
    monkeypatch.setattr(same_numbers, "own_module_files", lambda: FILES)
    monkeypatch.setattr(same_numbers, "write_groups", found.append)
    return found


def test_changed_files_are_listed(written):
    assert same_numbers.main([]) == ["lsbench/engine/trainer.py: not declared"]
    assert written == []


def test_a_declaration_covers_all_changed_files_or_those_named(written):
    assert same_numbers.main(["same"]) == ["lsbench/engine/trainer.py: declared, same"]
    assert written[-1] == {"lsbench/engine/trainer.py": [["1", "2"]], "lsbench/models/fusion.py": [["7"]]}
    same_numbers.main(["changed", "lsbench/engine/trainer.py"])
    assert written[-1]["lsbench/engine/trainer.py"] == [["1"], ["2"]]


def test_unknown_words_and_files_are_refused(written):
    with pytest.raises(UsageError, match="expected same or changed"):
        same_numbers.main(["equal"])
    with pytest.raises(UsageError, match=r"lsbench/cli/main\.py: computes no numbers"):
        same_numbers.main(["same", "lsbench/cli/main.py"])
    assert written == []
