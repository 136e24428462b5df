import pytest

from lsbench.scheduler.headline import headline


def record(metric, value, **facets):
    return {"metric": metric, "value": value, "facets": facets}


@pytest.mark.parametrize(
    ("kind", "records", "text"),
    [
        (
            "evaluate",
            [record("top5", 0.9), record("top1", 0.5, split="test"), record("top1", 0.4)],
            "top-1 50.00 %",
        ),
        ("profile", [record("params", 355_000), record("macs", None), record("latency_ms", 5.0)], None),
        ("train", [record("train_loss", 1.5), record("val_top1", 0.5)], "val top-1 50.00 %"),
        ("train", [record("train_loss", 1.5, epoch=1)], ""),
        ("analyze", [record("undeclared", 2.0)], "undeclared 2.0000"),
        ("gone", [record("top1", 0.5)], "top-1 50.00 %"),
        ("evaluate", [], ""),
    ],
)
def test_an_ended_job_is_told_with_what_it_was_run_for(kind, records, text):
    found = headline(kind, records)
    if text is None:
        assert found.startswith("params 0.3")
        assert ", latency" in found
    else:
        assert found == text
