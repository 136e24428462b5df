"""A real browser, and results with something for every part of a page."""

import io
import shutil
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from lsbench.cli.thumbnails import choose_images
from lsbench.core.atomic import append_line, write_json
from lsbench.core.facets import Facets
from lsbench.core.quantity import quantity
from lsbench.core.record import measured
from lsbench.corruptions import NAMES
from lsbench.data.thumbnails import to_jpeg
from lsbench.stats.seeds import Estimate
from lsbench.store.answers import packed_answers
from lsbench.store.job_files import PREDICTIONS
from lsbench.store.results import SPEC
from lsbench.store.thumbnails import thumbnail_file
from lsbench.tables.cells import Cell, Column, Row
from lsbench.tables.nights import NightCurve
from lsbench.tables.summary import Summary, summarize

EVIL = "</script><script>alert(1)</script>"
FACETS = Facets(
    method="fashion-c-live", corruptions=15, severities=5, res=32, reference="knn5", n=20, version="1"
)


@dataclass
class Seen:
    """A page in the browser, with all that it complained about and asked the network for."""

    page: object
    complaints: list = field(default_factory=list)
    requests: list = field(default_factory=list)

    @property
    def is_quiet(self):
        return not self.complaints and not self.requests


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def look(browser):
    """Open an address, wide or narrow, light or dark."""
    contexts = []

    def open_page(url, *, is_wide=True, is_dark=False):
        size = {"width": 1280, "height": 900} if is_wide else {"width": 390, "height": 844}
        context = browser.new_context(viewport=size, color_scheme="dark" if is_dark else "light")
        contexts.append(context)
        seen = Seen(context.new_page())
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        is_own = url.partition("//")[2].partition("/")[0]
        seen.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                or (is_own and f"//{is_own}/" in request.url)
                else seen.requests.append(request.url)
            ),
        )
        seen.page.goto(url)
        return seen

    yield open_page
    for context in contexts:
        context.close()


def violations(page):
    """Return what axe finds wrong with a page, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]
    ]


@pytest.fixture
def axe():
    return violations


def show_all(page):
    """Scroll through the page, so that every chart is drawn."""
    for chart in page.query_selector_all(".plot"):
        if chart.is_visible():
            chart.scroll_into_view_if_needed()
            chart.wait_for_selector(".main-svg", timeout=60_000)
    page.evaluate("scrollTo(0, 0)")


@pytest.fixture
def draw_all():
    return show_all


@pytest.fixture
def folder(tiny, make_graph, fill_store, tested, with_epochs):
    """Results with several rows, seeds, a failed job, trainings, corruptions and an analysis."""
    labels = ["LS conv", "w/o LKP", "w/o SKA", "Involution", EVIL]
    mixers = ["ls_conv", "without_lkp", "without_ska", "involution", "identity"]
    tiny["variants"] = [
        {"name": mixer, "mixer": mixer, "label": label} for mixer, label in zip(mixers, labels, strict=True)
    ]
    tiny["seeds"] = [0, 1, 2]
    graph = tested(make_graph(tiny), on=("fashion_sketch",))
    rng = np.random.default_rng(7)

    def records(job):
        place = mixers.index(job.variant.name)
        if job.kind == "robustness":
            return _corruptions(job, rng, place)
        if job.kind == "train":
            losses = [2.2 * 0.7**epoch + 0.1 + 0.03 * place + rng.normal(0, 0.02) for epoch in range(8)]
            return with_epochs(job, {"train_loss": losses})
        found = with_epochs(job, {})
        for record in found:
            record["value"] = _value(record, place, rng)
        return found

    made = fill_store(graph, records, failed=("involution/evaluate/seed2",))
    for job in graph.by_id().values():
        path = made.job_folder(str(job.id))
        path.mkdir(parents=True, exist_ok=True)
        (path / SPEC).write_text(job.model_dump_json(indent=1), encoding="utf-8")
    _add_analysis(made)
    _add_answers(made, graph)
    return made


def _add_answers(folder, graph):
    """Keep answers to 200 images of ten classes, for the evaluations on the variants' own data."""
    names = [f"class {number}" for number in range(9)] + [EVIL]
    targets = np.arange(200) % 10
    for number, job in enumerate(job for job in graph.by_id().values() if job.name == "evaluate"):
        rng = np.random.default_rng(number)
        best = rng.permuted(np.tile(np.arange(10), (200, 1)), axis=1)[:, :5]
        best[:, 0] = np.where(rng.random(200) < 0.8, targets, best[:, 0])
        arrays = packed_answers(targets, best[:, 0], best, rng.uniform(0.3, 1, 200))
        paths = [f"{names[target]}/{index}.png" for index, target in enumerate(targets)]
        keep = {"names": np.array(paths), "classes": np.array(names), "images_sha256": np.array("abc")}
        np.savez(folder.job_folder(str(job.id)) / PREDICTIONS, **arrays, **keep)
    jpeg = to_jpeg(Image.fromarray(np.tile(np.arange(0, 240, 2, np.uint8), (90, 1))))
    for key, (_, chosen) in choose_images(folder).items():
        for index in list(chosen)[::2]:  # of every other image there is no thumbnail
            path = thumbnail_file(folder, key, index)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg)


def _value(record, place, rng):
    spread = {"top1": 0.004, "top5": 0.001}.get(record["metric"], 0.0)
    shift = {"top1": 0.87 - 0.01 * place, "params": 2e6 + 1e5 * place, "macs": 3e8 - 1e7 * place}
    if record["metric"] == "latency_ms":
        record["ci_low"], record["ci_high"] = 4.9 - 0.4 * place, 5.1 - 0.4 * place
        return 5.0 - 0.4 * place
    return shift.get(record["metric"], record["value"]) + rng.normal(0, spread)


def _corruptions(job, rng, place):
    figures = [("mce", 0.8 + 0.02 * place, FACETS)]
    for number, name in enumerate(NAMES[:15]):
        cells = [0.1 + 0.02 * number + 0.08 * s + 0.01 * place + rng.normal(0, 0.01) for s in range(5)]
        figures += [
            ("corruption_error", value, FACETS.of_corruption(name, s + 1)) for s, value in enumerate(cells)
        ]
        figures.append(("corruption_error", float(np.mean(cells)), FACETS.of_corruption(name)))
    found = [measured(name, value, facets=where, dataset="fashion", n=20) for name, value, where in figures]
    return [{"job_id": job.id, **record.model_dump(mode="json")} for record in found]


def _add_analysis(folder):
    """Add a finished analysis with its picture, as its job would have left it."""
    manifest = folder.manifest()
    entry = {
        **manifest["jobs"][0],
        "id": "a" * 16,
        "kind": "analyze",
        "name": "erf",
        "label": "ls_conv/erf",
        "seed": 0,
    }
    write_json(folder.root / "manifest.json", {**manifest, "jobs": [*manifest["jobs"], entry]})
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.minimum.outer(ramp, ramp)).save(buffer, "PNG")
    (folder.job_folder(entry["id"])).mkdir(parents=True)
    (folder.job_folder(entry["id"]) / "erf.png").write_bytes(buffer.getvalue())
    line = {
        "schema_version": 1,
        "job_id": entry["id"],
        "status": "ok",
        "kind": "analyze",
        "label": entry["label"],
    }
    record = measured(
        "erf_area_50", 0.25, facets=Facets(method="erf", n=50, version="1"), dataset="fashion", n=50
    ).model_dump(mode="json")
    append_line(folder.root / "records.jsonl", [{**record, "job_id": entry["id"]}])
    append_line(folder.root / "jobs.jsonl", [line])


@pytest.fixture
def summary(folder):
    """The summary of these results, with nights of a gate."""
    found = summarize(folder)
    values, verdicts = [0.87, 0.871, None, 0.85, 0.872], ["ok", "ok", "inconclusive", "regressed", "improved"]
    for row in found.rows[:3]:
        found.nights.append(
            NightCurve(row.variant, row.title, "top1", "p", "fashion", values, verdicts, 0.87)
        )
    return found


@pytest.fixture
def large_summary():
    """A summary of ten thousand rows and eight columns."""
    rng = np.random.default_rng(0)
    columns = [
        Column(name, quantity(name), "p|v1", "fashion" if name.startswith("top") else None)
        for name in ("top1", "top5", "ece", "params", "macs", "latency_ms", "throughput", "mce")
    ]

    def cell(value):
        return Cell(Estimate(value, 0.99 * value, 1.01 * value, 3), expected=3)

    rows = [
        Row(
            f"v{n:05d}",
            f"mixer {n % 17}, kernel {n}",
            n == 0,
            {c.key: cell(float(v)) for c, v in zip(columns, line, strict=True)},
        )
        for n, line in enumerate(rng.uniform(0.2, 0.9, (10_000, len(columns))))
    ]
    return Summary("large", "default", "Ten thousand rows.", "v00000", False, columns, rows)
