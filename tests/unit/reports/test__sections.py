from lsbench.reports._sections import sections
from lsbench.tables.summary import summarize


def test_sections_are_those_that_have_something_to_show_in_order(
    tiny, make_graph, fill_store, records_of, with_epochs, tested
):
    graph = make_graph(tiny)
    assert list(sections(summarize(fill_store(make_graph({**tiny, "tags": ["smoke"]}))))) == []

    def trained(job):
        return with_epochs(job, {"train_loss": [2.0, 1.0]}) if job.kind == "train" else records_of(job)

    titles = [found[0] for found in sections(summarize(fill_store(tested(graph), trained)))]
    assert titles == [f"tiny (default): {name}" for name in ("comparisons", "robustness", "training")]
