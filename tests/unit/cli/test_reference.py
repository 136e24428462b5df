import pytest

from lsbench.cli import reference
from lsbench.core.errors import UsageError


def test_finished_results_become_the_reference_of_their_suite(
    tiny, make_graph, fill_store, tmp_path, monkeypatch
):
    folder = fill_store(make_graph(tiny), results=tmp_path / "results")
    monkeypatch.setattr(reference, "SHIPPED", (tmp_path / "shipped",))
    said = reference.main([str(folder.root)])
    target = tmp_path / "shipped" / "tiny" / "default"
    assert said.startswith(f"{target}: ")
    assert (target / "records.jsonl").is_file()


def test_anything_else_is_refused(tmp_path):
    for words in ([], [str(tmp_path)], ["a", "b"]):
        with pytest.raises(UsageError, match="expected one results folder of a preset"):
            reference.main(words)
