import pandas as pd
import pytest

from lsbench.core.atomic import write_json
from lsbench.store.early import EARLY
from lsbench.store.results import ResultsFolder
from lsbench.store.standing import CodeChange, Standing
from lsbench.tables.frames.load import load_table
from lsbench.tables.frames.parts import OpenResults, part_frame, read_all
from lsbench.tables.frames.ways import Part


@pytest.fixture
def twins(tiny, make_graph, fill_store, with_epochs, records_of):
    """A store in which two rows of the suite share their jobs, one training failed and one waits."""
    tiny["variants"].append({"name": "twin", "mixer": "identity"})

    def records(job):
        if job.label == "ls/train/seed1":
            return None
        return with_epochs(job, {"lr": [1.0, 0.5]}) if job.kind == "train" else records_of(job)

    return fill_store(make_graph(tiny), records, failed=("twin/train/seed0",))


def test_jobs_are_those_of_the_manifest_beside_their_last_lines(twins):
    found = OpenResults(twins).jobs
    assert found.name.tolist()[:3] == [entry["name"] for entry in twins.manifest()["jobs"]][:3]
    trained = found[found.kind == "train"].set_index(["variant", "seed"]).sort_index()
    states = {("id", 0): "failed", ("id", 1): "ok", ("ls", 0): "ok", ("ls", 1): "waiting"}
    states |= {("twin", 0): "failed", ("twin", 1): "ok"}
    assert trained.status.to_dict() == states
    assert trained.attempt.to_dict()["id", 0] == 2
    assert pd.isna(trained.attempt.to_dict()["ls", 1])


def test_rows_that_share_a_job_each_have_its_records_and_failed_jobs_have_none(twins):
    opened = OpenResults(twins)
    jobs, rows, records = opened.joined(Part.EPOCH, ["epoch"])
    owners = opened.jobs.iloc[jobs]
    assert list(zip(owners.variant, owners.seed, records.epoch.iloc[rows], strict=True)) == [
        (variant, seed, epoch) for variant, seed in [("ls", 0), ("id", 1), ("twin", 1)] for epoch in (1, 2)
    ]
    assert owners.id.tolist() == records.job_id.iloc[rows].tolist()
    assert sorted(jobs) == list(jobs)


def test_a_frame_has_the_columns_of_suite_job_and_record(twins):
    opened = OpenResults(twins)
    given = range(len(opened.jobs))
    frame = part_frame(opened, Part.EPOCH, ["suite", "variant", "seed", "value", "number"], {"number": given})
    assert frame.iloc[0].tolist() == ["tiny", "ls", 0, 1.0, 0.0]
    assert len(frame) == 6


def test_no_results_are_empty_and_several_come_together(twins, tmp_path):
    columns = {"suite": "string", "value": "Float64"}

    def frame_of(opened):
        return part_frame(opened, Part.EPOCH, list(columns), {})

    nowhere = ResultsFolder(tmp_path / "nowhere")
    assert OpenResults(nowhere).jobs.empty
    for folders, length in (([], 0), ([nowhere], 0), ([twins, nowhere, twins], 12)):
        frame = read_all(folders, columns, frame_of)
        assert len(frame) == length
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns


@pytest.fixture
def unfinished(tiny, make_graph, fill_store, records_of, job_lines):
    """A store in which a profile failed and one is missing; both have kept their parameters."""
    graph = make_graph(tiny)
    profiles = [job for job in graph.jobs if job.kind == "profile"]

    def records(job):
        return None if job in profiles else records_of(job)

    folder = fill_store(graph, records, failed=(profiles[0].label,))
    for job in profiles:
        content = {"job": job_lines[0](job), "records": records_of(job)[:1]}
        write_json(folder.job_folder(job.id) / EARLY, content)
    return folder, profiles


def figures(folder, profiles, **options):
    table = load_table([folder], **options)
    rows = table[table.job_id.isin([job.id for job in profiles])]
    return list(zip(rows.status, rows.metric.astype("object").where(rows.metric.notna(), None), strict=True))


def test_what_an_unfinished_job_has_kept_is_read(unfinished):
    folder, profiles = unfinished
    found = sorted(figures(folder, profiles))
    assert found == [("failed", "params"), ("waiting", "params")]


def test_older_records_of_an_unfinished_job_are_not_read(unfinished, records_of):
    folder, profiles = unfinished
    folder.add_job({"schema_version": 2, "job_id": "other", "status": "ok"}, records_of(profiles[0]))
    assert sorted(figures(folder, profiles)) == [("failed", "params"), ("waiting", "params")]


def test_what_was_kept_by_other_code_is_not_read(unfinished, monkeypatch):
    folder, profiles = unfinished
    changed = {profiles[0].id: (CodeChange("mixer acme"),)}
    monkeypatch.setattr(Standing, "changes_since", lambda self, name, line: changed.get(name, ()))
    assert sorted(figures(folder, profiles)) == [("failed", None), ("waiting", "params")]
    assert sorted(figures(folder, profiles, keeps_due=True)) == [("failed", "params"), ("waiting", "params")]


def test_every_file_is_read_once(twins, monkeypatch):
    calls = []
    for name in ("manifest", "jobs", "record_blocks"):
        read = getattr(ResultsFolder, name)
        monkeypatch.setattr(
            ResultsFolder, name, lambda self, *args, _n=name, _r=read: (calls.append(_n), _r(self, *args))[1]
        )
    opened = OpenResults(twins)
    for part in Part:
        opened.joined(part, ["value"])
    assert sorted(calls) == ["jobs", "manifest", "record_blocks"]
