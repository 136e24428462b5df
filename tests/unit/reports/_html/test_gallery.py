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
    found, notes = gallery(folder, table(a="ok", b="ok", c="ok", d="failed"))
    assert notes == []
    first, second, third, fourth = found
    assert base64.b64decode(first.uri.removeprefix("data:image/png;base64,")) == png()
    assert first.caption == "erf of A, seed 0"
    assert first.facts == [("ERF area of 50 % (%)", "25.0 [20.0, 30.0]")]
    assert (second.uri, second.hole, second.caption) == ("", "no picture", "erf of B")
    assert (third.uri, third.hole) == ("", "damaged picture")
    assert fourth.hole == "failed"


def test_pictures_that_do_not_fit_are_named(folder, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_BYTES", len(png()) - 1)
    found, notes = gallery(folder, table(a="ok"))
    assert all(not picture.uri for picture in found)
    assert len(notes) == 1
    assert "erf of A, seed 0" in notes[0]


def test_a_summary_without_a_folder_has_no_pictures():
    assert gallery(None, table()) == ([], [])
