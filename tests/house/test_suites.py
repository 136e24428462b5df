"""The suites that ship."""

import json
from pathlib import Path

import pytest
import timm
import torch

from lsbench.core.catalog import counted_macs, macs_key, pluggable_models, read_catalog
from lsbench.core.errors import ConfigError
from lsbench.data.imagenet.c_conditions import C_SIZE
from lsbench.models.downstream.factory import create_downstream
from lsbench.models.factory import create_model
from lsbench.suite.graph import build_graph
from lsbench.suite.loader import folder_name, load_suite, preset_names, shipped_suites

CASES = [(suite, preset) for suite in shipped_suites() for preset in preset_names(suite)]
PAPER = [suite for suite in shipped_suites() if suite.startswith("paper/")]
TABLES = {
    f"paper/{table['id'].lower().replace(' ', '')}": table
    for table in json.loads(
        (Path(__file__).parents[1] / "unit" / "models" / "data" / "paper_tables.json").read_text()
    )["tables"]
}
#: Column of the paper's tables -> (metric, factor to the unit of records).
COLUMNS = {
    "params_M": ("params_fused", 1e6),
    "flops_G": ("macs_paper", 1e9),
    "flops_G_512": ("macs_paper", 1e9),
    "throughput_img_s": ("throughput", 1.0),
    "top1_pct": ("top1", 0.01),
    "mIoU": ("miou", 0.01),
    "C_mCE": ("mce", 0.01),
    "A_top1": ("imagenet_a_top1", 0.01),
    "R_top1": ("imagenet_r_top1", 0.01),
    "SK_top1": ("imagenet_sketch_top1", 0.01),
    "ret_AP": ("retinanet_ap", 0.01),
    "ret_AP50": ("retinanet_ap50", 0.01),
    "ret_AP75": ("retinanet_ap75", 0.01),
    "ret_APS": ("retinanet_ap_small", 0.01),
    "ret_APM": ("retinanet_ap_medium", 0.01),
    "ret_APL": ("retinanet_ap_large", 0.01),
    "mrcnn_APb": ("maskrcnn_ap_box", 0.01),
    "mrcnn_APb50": ("maskrcnn_ap50_box", 0.01),
    "mrcnn_APb75": ("maskrcnn_ap75_box", 0.01),
    "mrcnn_APm": ("maskrcnn_ap_mask", 0.01),
    "mrcnn_APm50": ("maskrcnn_ap50_mask", 0.01),
    "mrcnn_APm75": ("maskrcnn_ap75_mask", 0.01),
}


@pytest.mark.parametrize(("suite", "preset"), CASES)
def test_every_preset_gives_a_graph_and_is_named_after_its_file(suite, preset):
    loaded = load_suite(suite, preset=preset)
    graph = build_graph(loaded)
    assert loaded.name == folder_name(suite)
    assert loaded.description
    assert len(graph.jobs) >= len(loaded.variants)
    if preset == "default" and suite not in PAPER:
        assert graph.missing_data == (), "the default preset runs on data that ships"
        assert len(graph.by_id()) == len(graph.jobs)


def test_the_smoke_suite_is_marked_as_such():
    assert load_suite("smoke").is_smoke
    assert not load_suite("ablations").is_smoke


def test_every_table_of_results_of_the_paper_has_a_suite():
    assert PAPER == sorted(TABLES) == [f"paper/table{number}" for number in range(1, 10)]


@pytest.mark.parametrize("suite", PAPER)
def test_paper_suites_are_about_imagenet_as_published(suite):
    loaded = load_suite(suite)
    number = int(suite.removeprefix("paper/table"))
    assert {variant.dataset["name"] for variant in loaded.variants} == {"imagenet"}
    sizes = {v.model: v.dataset["img_size"] for v in loaded.variants}
    usual = 512 if number in (2, 3) else 224
    own = () if number in (2, 3) else ("edgenext", "fastvit")
    assert sizes == {model: 256 if own and model.startswith(own) else usual for model in sizes}
    epochs = [job.spec["epochs"] for job in loaded.jobs if job.kind == "train"]
    assert epochs == {2: [], 3: [], 5: [100], 6: [100], 7: [100], 8: [100]}.get(number, [300])
    assert loaded.source.endswith(f"arXiv:2503.23135, Table {number}")


def test_robustness_is_tested_on_garments_by_default_and_on_imagenet_in_its_preset():
    garments, imagenet = load_suite("robustness"), load_suite("robustness", preset="imagenet")
    assert {variant.dataset["name"] for variant in garments.variants} == {"fashion"}
    assert other_data_of(garments) == {None, "fashion_hard", "fashion_renditions", "fashion_sketch"}
    paper = load_suite("paper/table4")
    assert [(v.name, v.published) for v in imagenet.variants] == [
        (v.name, v.published) for v in paper.variants
    ]
    assert other_data_of(imagenet) == {*other_data_of(paper), "imagenet_v2", "imagenet_real"}
    assert {variant.model_args["pretrained"] for variant in imagenet.variants} == {True}
    tests = [job for job in imagenet.jobs if job.kind in ("evaluate", "robustness")]
    assert {job.spec["weights"] for job in tests} == {"pretrained"}
    assert [job.kind for job in imagenet.jobs if job not in tests] == ["profile"]
    assert (imagenet.published_preset, imagenet.published_only) == ("imagenet", paper.published_only)


def other_data_of(suite):
    on = [job.spec["on"] for job in suite.jobs if job.kind == "evaluate"]
    return {one["name"] if isinstance(one, dict) else one for one in on}


def test_the_papers_corruptions_are_read_from_the_published_files():
    for suite in (load_suite("paper/table4"), load_suite("robustness", preset="imagenet")):
        [spec] = [job.spec for job in suite.jobs if job.kind == "robustness"]
        assert (spec["protocol"], len(spec["corruptions"]), spec["subset"]) == ("files", 15, None)


def test_rows_of_another_size_run_on_the_images_of_the_benchmark():
    rows = [row for row in load_suite("paper/table4").variants if row.dataset["img_size"] != C_SIZE]
    assert len(rows) == 5
    for row in rows:
        with torch.device("meta"):
            model = create_model(row.model, num_classes=10, img_size=row.dataset["img_size"]).eval()
            assert model(torch.empty(1, 3, C_SIZE, C_SIZE)).shape == (1, 10)


def test_rows_with_published_weights_have_the_size_of_the_weights():
    for suite, preset in CASES:
        for row in load_suite(suite, preset=preset).variants:
            if row.model_args.get("pretrained"):
                wanted = timm.get_pretrained_cfg(row.model).input_size[-1]
                assert row.dataset["img_size"] == wanted, f"{suite} ({preset}): {row.name}"


#: Rows of the paper's tables 2 and 3 -> numbers of the released models' logs that are not the paper's.
LOGS = {
    ("paper/table2", "LSNet-S"): {
        "retinanet_ap": 0.365,
        "retinanet_ap50": 0.573,
        "retinanet_ap75": 0.381,
        "retinanet_ap_small": 0.203,
        "retinanet_ap_medium": 0.395,
        "retinanet_ap_large": 0.51,
    },
    ("paper/table3", "LSNet-S"): {"miou": 0.4156},
    ("paper/table3", "LSNet-B"): {"miou": 0.4309},
}


def test_numbers_of_released_models_stand_beside_the_papers_where_they_differ():
    loaded = {suite: load_suite(suite) for suite in PAPER}
    assert {
        (suite, row.title): row.published_logs
        for suite, found in loaded.items()
        for row in found.variants
        if row.published_logs
    } == LOGS


def jobs_of(suite):
    return {job.name: job for job in load_suite(suite).jobs}


def test_the_papers_detectors_and_segmenters_are_trained_as_published():
    jobs = jobs_of("paper/table2") | jobs_of("paper/table3")
    trained = [job for job in jobs.values() if job.kind in ("detect", "segment")]
    assert [job.name for job in trained] == ["retinanet", "maskrcnn", "segment"]
    assert {job.spec["backbone_weights"] for job in trained} == {"pretrained"}
    assert [job.needs for job in trained] == [()] * 3
    assert [job.spec["dataset"] for job in trained] == ["coco", "coco", "ade20k"]
    assert [job.spec["detector"] for job in trained[:2]] == ["retinanet", "maskrcnn"]
    assert [(job.spec["epochs"], job.spec["iterations"]) for job in trained] == [
        (12, None),
        (12, None),
        (12, 40_000),
    ]
    assert [job.spec["lr"] for job in trained] == [1e-4, 1e-4, 2e-4]


@pytest.mark.parametrize("suite", ["paper/table2", "paper/table3"])
def test_rows_are_left_out_of_the_jobs_that_their_backbones_cannot_do(suite):
    loaded = load_suite(suite)
    for job in (job for job in loaded.jobs if job.kind != "profile"):
        task = job.spec.get("detector", "semantic_fpn")
        fitting = {row.name for row in loaded.variants if is_fitting(row, task)}
        assert {row.name for row in loaded.variants} - fitting == job.without.keys()


def is_fitting(row, task):
    """Return whether a detector or segmenter can be built on a row, and takes images of any size."""
    with torch.device("meta"):
        try:
            model = create_downstream(task, row.model, num_classes=3, **row.model_args)
            model.eval().pyramid(torch.empty(1, 3, 256, 352))
        except (ConfigError, RuntimeError):
            return False
    return True


def test_backbones_begin_with_weights_that_timm_or_the_authors_publish():
    for suite in ("paper/table2", "paper/table3"):
        for row in load_suite(suite).variants:
            cfg = timm.get_pretrained_cfg(row.model)
            assert cfg.hf_hub_id or cfg.url, row.name


def title_of(table, row):
    if table["id"] == "Table 9":
        return row[0] + (" + LS conv." if row[1] == "yes" else "")
    return row[0]


@pytest.mark.parametrize("suite", PAPER)
def test_every_row_of_the_paper_is_there_with_its_numbers(suite):
    loaded, table = load_suite(suite), TABLES[suite]
    found = {variant.title: variant.published for variant in loaded.variants}
    found |= {row.name: row.published for row in loaded.published_only}
    assert len(found) == len(loaded.variants) + len(loaded.published_only)
    expected = {
        title_of(table, row): {
            COLUMNS[column][0]: pytest.approx(value * COLUMNS[column][1])
            for column, value in zip(table["columns"], row, strict=True)
            if column in COLUMNS and value is not None
        }
        for row in table["rows"]
    }
    assert found == expected


def test_only_the_largest_lsnet_decays_its_weights_more():
    for suite in ("paper/table1", "paper/table4"):
        loaded = load_suite(suite)
        train = next(job for job in loaded.jobs if job.kind == "train")
        decays = {v.name: train.spec_of.get(v.name, train.spec)["weight_decay"] for v in loaded.variants}
        assert {name for name, decay in decays.items() if decay != 0.025} <= {"lsnet_b", "lsnet_b_distill"}
        assert decays["lsnet_b"] == 0.05


UNFUSED_B = ("1.2475", "1.3 is the unfused count, 1.2586; fused as all others are, it is 1.25")
UNFUSED_B2 = ("1.2480", "1.3 is the unfused count, 1.2591, as without a teacher")
CUT_OFF = (
    "the tables of ablations cut digits off: the authors' own model counts 0.3163 and is printed as 0.31"
)
NO_ATTENTION = "without the products of attention, which fvcore does not know by itself"
LARGE_B = (
    "6.2514",
    "convolutions and SKA alone are 6.2220; normalisations, attention and classifier are not printed",
)
#: (Suite, row) -> the fused model's FLOPs in G, and the reason why they do not round to the printed ones.
OTHER_FLOPS = {
    ("paper/table1", "LSNet-B"): UNFUSED_B,
    ("paper/table1", "LSNet-B*"): UNFUSED_B2,
    ("paper/table2", "FastViT-SA12"): ("7.8469", NO_ATTENTION),
    ("paper/table2", "LSNet-B"): LARGE_B,
    ("paper/table3", "FastViT-SA12"): ("7.8469", NO_ATTENTION),
    ("paper/table3", "FastViT-SA24"): ("15.2475", NO_ATTENTION),
    ("paper/table3", "LSNet-B"): LARGE_B,
    ("paper/table4", "LSNet-B"): UNFUSED_B,
    ("paper/table5", "LS conv."): ("0.3163", CUT_OFF),
    ("paper/table6", "LS conv."): ("0.3163", CUT_OFF),
    ("paper/table7", "LSNet-T (K_L=7, K_S=3)"): ("0.3163", CUT_OFF),
    ("paper/table7", "K_L=5"): ("0.3154", CUT_OFF),
    ("paper/table7", "w/o SKA"): ("0.3151", CUT_OFF),
    ("paper/table7", "K_S=1"): ("0.3073", CUT_OFF),
    ("paper/table7", "K_S=5"): ("0.3343", "0.34 is the unfused count, 0.3373"),
    ("paper/table8", "LSNet-T (C/G=8)"): ("0.3163", CUT_OFF),
    ("paper/table8", "w/o DW"): ("0.3153", CUT_OFF),
    ("paper/table8", "w/o SE"): ("0.3158", CUT_OFF),
}


@pytest.mark.parametrize("suite", PAPER)
def test_the_flops_of_every_row_round_to_the_printed_digit(suite):
    rows = load_suite(suite).variants
    counted = {
        row.title: read_catalog()["macs_paper"][
            macs_key(
                row.model_identity(), row.dataset["img_size"], is_pluggable=row.model in pluggable_models()
            )
        ]
        for row in rows
    }
    printed = {row.title: f"{row.published['macs_paper'] / 1e9:.12g}" for row in rows}
    digits = max(len(text.partition(".")[2]) for text in printed.values())
    differing = {
        title: f"{counted[title] / 1e9:.4f}"
        for title, text in printed.items()
        if f"{counted[title] / 1e9:.{digits}f}" != f"{float(text):.{digits}f}"
    }
    known = {
        title: value for (table, title), (value, reason) in OTHER_FLOPS.items() if table == suite and reason
    }
    assert differing == known


@pytest.mark.parametrize("suite", PAPER)
def test_the_cost_of_every_row_is_known_and_is_about_the_published_one(suite):
    for variant in load_suite(suite).variants:
        macs = counted_macs(variant.model_identity(), variant.dataset["img_size"])
        assert macs is not None, f"{variant.name}: run `python -m lsbench.cli.catalog`"
        if variant.model.startswith(("lsnet", "resnet", "deit", "starnet", "shvit", "fasternet", "pvt")):
            assert macs == pytest.approx(variant.published["macs_paper"], rel=0.2, abs=0.05e9)
