import time
from dataclasses import replace

import numpy as np
import pytest

from lsbench.reports._html import mistakes as page
from lsbench.reports._html.mistakes import mistakes
from lsbench.reports.html import render
from lsbench.store.job_files import PREDICTIONS
from lsbench.store.results import SPEC
from lsbench.store.thumbnails import images_key, read_spec, thumbnail_file
from lsbench.tables.disagreements import find_disagreements
from lsbench.tables.frames.load import load_table
from lsbench.tables.summary import summarize

JPEG = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture
def folder(tiny, make_graph, fill_store, keep_answers):
    graph = make_graph({**tiny, "seeds": [0]})
    found = fill_store(graph)
    keep_answers(found, graph, images=200)
    for job in graph.by_id().values():
        (found.job_folder(job.id) / SPEC).write_text(job.model_dump_json(), encoding="utf-8")
    return found


def read(folder):
    return mistakes(summarize(folder), load_table([folder]))


def add_thumbnails(folder):
    (one,) = find_disagreements(folder, load_table([folder]), "ls")
    for image in one.images:
        path = thumbnail_file(folder, images_key(read_spec(folder, one.job_id)), image.index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)


def test_without_thumbnails_the_files_are_named_and_a_note_says_how_to_get_them(folder):
    found = read(folder)
    (row,) = found["rows"]
    assert [group["name"] for group in row["groups"]] == ["id right, ls wrong", "id wrong, ls right"]
    shown = [image for group in row["groups"] for image in group["images"]]
    assert len(shown) == 24
    assert {image.uri for image in shown} == {""}
    assert shown[0].name.startswith("c0")
    assert "--thumbnails DATA" in found["notes"][0]
    text = render([summarize(folder)])
    assert all(image.name in text for image in shown)


def test_thumbnails_are_in_the_page_with_the_answers_as_text(folder):
    add_thumbnails(folder)
    found = read(folder)
    (row,) = found["rows"]
    image = row["groups"][1]["images"][0]
    assert image.uri.startswith("data:image/jpeg;base64,")
    assert image.alt.startswith(f"{image.name}: is c0")
    assert "; id: c0" in image.words
    assert "; ls: c0" in image.words
    assert len(image.best.split(", ")) == 5
    assert found["notes"] == []
    assert render([summarize(folder)]).count("data:image/jpeg;base64,") == 24


def test_a_page_holds_so_many_bytes_and_names_the_rest(folder, monkeypatch):
    add_thumbnails(folder)
    monkeypatch.setattr(page, "MOST_BYTES", 10 * len(JPEG))
    found = read(folder)
    shown = [image for group in found["rows"][0]["groups"] for image in group["images"]]
    assert sum(bool(image.uri) for image in shown) == 10
    assert "of 14 more images the files are named" in found["notes"][0]


def test_damage_is_said_and_without_answers_there_is_nothing(folder):
    summary, table = summarize(folder), load_table([folder])
    path = next(folder.root.glob(f"jobs/evaluate-*/{PREDICTIONS}"))
    path.write_bytes(b"PK\x03\x04 torn")
    assert "damaged" in mistakes(summary, table)["notes"][0]
    path.unlink()
    assert not any(mistakes(summary, table).values())


def test_a_report_of_fifty_thousand_images_and_a_thousand_classes_is_small(
    tiny, make_graph, fill_store, keep_answers
):
    rates = [0.1, 0.2, 0.3, 0.4]
    tiny["variants"] += [
        {"name": f"v{rate}", "mixer": "identity", "model_args": {"drop_path_rate": rate}} for rate in rates
    ]
    graph = make_graph({**tiny, "seeds": [0]})
    folder = fill_store(graph)
    keep_answers(folder, graph, images=50_000, classes=1000)
    for job in graph.by_id().values():
        (folder.job_folder(job.id) / SPEC).write_text(job.model_dump_json(), encoding="utf-8")
    noise = np.random.default_rng(0).bytes(6000)
    for one in find_disagreements(folder, load_table([folder]), "ls"):
        for image in one.images:
            path = thumbnail_file(folder, images_key(read_spec(folder, one.job_id)), image.index)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG + noise)
    start = time.perf_counter()
    text = render([summarize(folder)])
    assert time.perf_counter() - start < 30, "3 s on two free cores"
    assert text.count("data:image/jpeg") == 5 * 24
    assert len(text.encode()) < 5_000_000


def test_percents_are_explained_only_where_answers_keep_their_confidence(folder, monkeypatch):
    assert read(folder)["has_confidence"]
    assert "In percent the row" in render([summarize(folder)])
    real = find_disagreements

    def without(*args):
        return [replace(one, images=[replace(i, confidence=None) for i in one.images]) for one in real(*args)]

    monkeypatch.setattr(page, "find_disagreements", without)
    assert not read(folder)["has_confidence"]
    assert "In percent the row" not in render([summarize(folder)])
