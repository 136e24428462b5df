import numpy as np
import pytest

from lsbench.core.errors import StoreError, UsageError
from lsbench.core.facets import Facets
from lsbench.core.panel import ModelPanel
from lsbench.core.record import measured
from lsbench.tables.panels import NO_ARRAYS, find_panels

FOUR = ("without_lkp", "ls_conv", "identity", "cga", "rep_mixer")


def titles(found):
    return [panel.label for panel in found.shown]


def test_panels_come_in_the_papers_order_and_other_variants_after_them(make_fields):
    found = find_panels(make_fields(FOUR), "erf")
    assert titles(found) == [
        f"The {name}" for name in ("rep_mixer", "cga", "ls_conv", "without_lkp", "identity")
    ]
    assert found.left_out == []
    assert found.notes == ["seed 0", "protocol erf|test|n=6|v1.1"]
    assert isinstance(found.shown[0], ModelPanel)
    assert found.shown[0].arrays["field"].sum() == pytest.approx(1)


def test_variants_are_chosen_by_name_or_title(make_fields):
    folder = make_fields(FOUR)
    assert titles(find_panels(folder, "erf", ["ls_*"])) == ["The ls_conv"]
    assert titles(find_panels(folder, "erf", ["The c*", "identity"])) == ["The cga", "The identity"]
    assert titles(find_panels(folder, "erf", ["cga,ls_*"])) == ["The cga", "The ls_conv"]
    with pytest.raises(UsageError, match=r"--rows ls_con: no match \(did you mean 'ls_conv'\?\)"):
        find_panels(folder, "erf", ["ls_con"])
    assert find_panels(folder, "fourier").shown == find_panels(folder, "fourier").left_out == []


def test_all_panels_are_of_one_seed_that_every_variant_has(make_fields):
    found = find_panels(make_fields(without_arrays=["identity/erf/seed0"]), "erf")
    assert len(found.shown) == 3
    assert found.notes[0] == "seed 1"
    without = ["identity/erf/seed0", "ls_conv/erf/seed1"]
    found = find_panels(make_fields(name="other", without_arrays=without), "erf")
    assert found.notes[0] == "different values of seed: 0 (The rep_mixer, The ls_conv); 1 (The identity)"


def test_a_variant_without_a_panel_is_told_with_the_reason(make_fields):
    every = [f"identity/erf/seed{seed}" for seed in (0, 1)]
    found = find_panels(
        make_fields(
            without_arrays=every,
            missing={"rep_mixer": "RepMixer predicts no weights"},
            mixers=("ls_conv", "identity", "rep_mixer", "cga"),
            failed=("cga/erf/seed0", "cga/erf/seed1"),
        ),
        "erf",
    )
    assert titles(found) == ["The ls_conv"]
    assert found.left_out == [
        "The rep_mixer: RepMixer predicts no weights",
        "The cga: failed, ValueError: too bad",
        f"The identity: {NO_ARRAYS}",
    ]


def test_what_has_not_run_yet_is_waiting(make_fields):
    folder = make_fields()
    for name in ("jobs.jsonl", "records.jsonl"):
        (folder.root / name).unlink()
    found = find_panels(folder, "erf")
    assert found.left_out == ["The rep_mixer, The ls_conv, The identity: waiting"]


def test_random_weights_are_told_per_panel_and_so_are_ways_of_measuring(make_fields):
    jobs = [{"analyze": "erf"}, {"analyze": {"kind": "erf", "name": "before", "weights": "fresh"}}]
    found = find_panels(make_fields(["ls_conv"], jobs=jobs), "erf")
    assert titles(found) == ["The ls_conv, before (random weights)", "The ls_conv, erf"]
    assert found.notes[1].startswith("different values of protocol: ")
    assert found.notes[2] == "random weights: The ls_conv, before"


def test_runs_that_are_no_evidence_say_so(make_fields):
    folder = make_fields()
    manifest = (folder.root / "manifest.json").read_text()
    changed = manifest.replace('"preset": "default"', '"preset": "default+limit=1"')
    (folder.root / "manifest.json").write_text(changed.replace('"tags": []', '"tags": ["smoke"]'))
    notes = find_panels(folder, "erf").notes
    assert "a smoke test: this only shows that everything runs" in notes
    assert "run with overrides (default+limit=1): not comparable with other figures" in notes


def test_damaged_arrays_are_told(make_fields):
    folder = make_fields()
    [path, *_] = folder.root.glob("jobs/*/erf.npz")
    path.write_bytes(b"no zip")
    with pytest.raises(StoreError, match=r"erf\.npz: damaged"):
        [find_panels(folder, "erf", [name]) for name in ("ls_conv", "identity", "rep_mixer")]
    np.savez(path, field=np.eye(2))


def test_weights_of_a_backbone_alone_make_no_detector(tiny, make_graph, fill_store):
    tiny["defaults"]["model_args"] = {"pretrained": True}
    tiny["jobs"] = [{"analyze": {"kind": "detections", "weights": "fresh", "dataset": "fashion_coco"}}]
    graph = make_graph(tiny)

    def records(job):
        facets = Facets(method="detections", weights="fresh", n=1, version="1.1")
        one = measured("detections_drawn", 0.0, facets=facets)
        return [{"job_id": job.id, **one.model_dump(mode="json")}]

    folder = fill_store(graph, records)
    for job in graph.by_id().values():
        place = folder.job_folder(str(job.id))
        place.mkdir(parents=True, exist_ok=True)
        (place / "spec.json").write_text(job.model_dump_json())
        np.savez(place / "detections.npz", names=np.array([]))
    panels = find_panels(folder, "detections")
    assert [panel.is_random for panel in panels.shown] == [True, True]
