import base64
import io

import pandas as pd
import pytest
from PIL import Image

from lsbench.reports._html import gallery as pictures
from lsbench.reports._html.gallery import gallery
from lsbench.store.results import ResultsFolder
from lsbench.tables.frames.load import LONG_COLUMNS


def png():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    folder = ResultsFolder(tmp_path / "s" / "default")
    folder.create()
    beside = {"label": "", "model": "m", "mixer": "x", "dataset": "d"}
    entries = [
        {"id": name, "kind": "analyze", "name": "erf", "variant": name, "title": name.upper(), "seed": seed}
        for name, seed in (("a", 0), ("b", None), ("c", 1), ("d", None))
    ]
    entries.append({"id": "e", "kind": "train", "name": "train", "variant": "a", "title": "A", "seed": 0})
    folder.write_manifest(
        {
            **{"suite": "s", "preset": "default", "description": "", "tags": [], "baseline": "a"},
            "jobs": [{**beside, **entry} for entry in entries],
        },
        "",
    )
    for name, content in (("a", png()), ("c", b"<svg onload=alert(1)>"), ("e", png())):
        folder.job_folder(name).mkdir(parents=True)
        (folder.job_folder(name) / "erf.png").write_bytes(content)
    return folder


def table(**statuses):
    rows = [
        {
            "job_id": name,
            "variant": name,
            "status": status,
            "metric": "erf_area_50" if status == "ok" else None,
            "value": 0.25,
            "ci_low": 0.2,
            "ci_high": 0.3,
        }
        for name, status in statuses.items()
    ]
    return pd.DataFrame(rows, columns=list(LONG_COLUMNS)).astype(LONG_COLUMNS | {"schema_version": "Int64"})


def test_a_picture_is_in_the_page_with_its_numbers(folder):
    (found,), _ = gallery(folder, table(a="ok", b="ok", c="ok", d="failed"))
    assert base64.b64decode(found.uri.removeprefix("data:image/png;base64,")) == png()
    assert found.caption == "erf of A, seed 0"
    assert found.facts == [("ERF area of 50 % (%)", "25.0 [20.0, 30.0]")]


def test_jobs_without_a_picture_take_one_line_for_each_reason(folder):
    found, notes = gallery(folder, table(a="ok", b="ok", c="ok", d="failed"))
    assert len(found) == 1
    assert notes == [
        "1 job has left no picture: erf of B.",
        "1 picture is damaged: erf of C, seed 1.",
        "1 job has failed: erf of D.",
    ]
    found, notes = gallery(folder, table())
    assert found == []
    assert notes == ["4 jobs have not run yet: erf of A, seed 0; erf of B; erf of C, seed 1; erf of D."]


def test_of_many_jobs_that_have_not_run_a_line_names_some(folder):
    manifest = folder.manifest()
    entry = manifest["jobs"][1]
    jobs = [{**entry, "id": f"b{n}", "title": f"B{n}"} for n in range(12)]
    folder.write_manifest({**manifest, "jobs": jobs}, "")
    _, (note,) = gallery(folder, table())
    assert note.startswith("12 jobs have not run yet: erf of B0; ")
    assert note.endswith("; erf of B4 and 7 more.")


def test_results_in_another_state_are_counted_too(folder):
    _, (note, *_) = gallery(folder, table(a="stopped", b="due"))
    assert note == "1 job is stopped: erf of A, seed 0."


def test_pictures_that_do_not_fit_are_named(folder, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", len(png()) - 1)
    found, notes = gallery(folder, table(a="ok"))
    assert all(not picture.uri for picture in found)
    assert len(notes) == 2
    assert "erf of A, seed 0" in notes[1]


def test_a_summary_without_a_folder_has_no_pictures():
    assert gallery(None, table()) == ([], [])
