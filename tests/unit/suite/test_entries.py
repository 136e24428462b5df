import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.entries import job_name, kind_and_settings, written_out
from lsbench.suite.loader import load_suite


@pytest.mark.parametrize(
    ("entry", "name", "found"),
    [
        ("train", "train", ("train", {})),
        ({"train": None}, "train", ("train", {})),
        ({"train": {"epochs": 1}}, "train", ("train", {"epochs": 1})),
        ({"evaluate": {"name": "hard"}}, "hard", ("evaluate", {"name": "hard"})),
        ({"analyze": "cka"}, "cka", ("analyze", {"kind": "cka"})),
        ({"analyze": {"kind": "cka"}}, "cka", ("analyze", {"kind": "cka"})),
        ({"analyze": {"kind": "cka", "name": "own"}}, "own", ("analyze", {"kind": "cka", "name": "own"})),
        ({"evaluate": "cka"}, "evaluate", (None, {})),
        ({"a": 1, "b": 2}, None, (None, {})),
    ],
)
def test_an_entry_has_a_name_a_kind_and_settings(entry, name, found):
    assert job_name(entry) == name
    assert kind_and_settings(entry) == found


def test_only_a_short_form_is_written_out():
    assert written_out({"analyze": "erf"}) == {"analyze": {"kind": "erf"}}
    for entry in ("analyze", {"analyze": {"kind": "erf"}}, {"train": "erf"}, None):
        assert written_out(entry) is entry


def test_short_forms_and_long_ones_are_the_same_jobs(tiny, make_graph):
    ids = [
        {job.label: job.id for job in make_graph({**tiny, "jobs": ["train", entry]}).jobs}
        for entry in ({"analyze": "erf"}, {"analyze": {"kind": "erf", "num_images": 50}})
    ]
    assert ids[0] == ids[1]
    assert "id/erf/seed0" in ids[0]


def test_an_override_changes_a_short_form(tiny, write_suite):
    path = write_suite({**tiny, "jobs": ["train", {"analyze": "erf"}]})
    [_, job] = load_suite(path, overrides=["jobs.erf.num_images=7"]).jobs
    assert (job.name, job.spec["kind"], job.spec["num_images"]) == ("erf", "erf", 7)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"analyze": "erff"}, "unknown analysis 'erff' (did you mean 'erf'?)"),
        ({"analyze": {"kind": "cka", "other": "ide"}}, "no variant 'ide' (did you mean 'id'?)"),
        ({"analyze": {"kind": "erf", "other": "id"}}, "expected an analysis of two models, found erf"),
        ({"analyze": {"kind": "cka", "other": "id", "weights": "fresh"}}, "compared after training"),
        ({"evaluate": "test"}, "expected a job kind"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tiny, write_suite, entry, message):
    with pytest.raises(ConfigError) as raised:
        load_suite(write_suite({**tiny, "jobs": ["train", entry]}))
    assert message in str(raised.value)
    assert "suite.yaml:" in str(raised.value)
