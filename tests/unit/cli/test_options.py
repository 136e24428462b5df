"""Where a suite's results are meant, a folder will do; and a damaged folder hides only itself."""

import json
import re
import shutil

import pandas as pd
import pytest
import typer

import lsbench
from lsbench.cli.main import create_app
from lsbench.cli.options import results_place
from lsbench.core.next_command import near
from lsbench.core.plain_warnings import LsbenchWarning

OF_ONE = {
    "report": ("report", "{}", "--format", "csv"),
    "status": ("status", "{}"),
    "compare": ("compare", "{}", "{}"),
    "why": ("why", "ls/train/seed0", "--suite", "{}"),
    "show": ("show", "ls/train/seed0", "--suite", "{}"),
    "clean": ("clean", "{}"),
}


@pytest.fixture
def folder(tiny, make_graph, fill_store):
    return fill_store(make_graph(tiny))


@pytest.fixture
def results(folder):
    return folder.root.parents[1]


@pytest.fixture
def suite_file(folder, tmp_path):
    return tmp_path / "suite.yaml"


@pytest.mark.parametrize("verb", OF_ONE)
def test_every_way_to_name_results_says_the_same(
    verb, call, folder, results, suite_file, tmp_path, monkeypatch
):
    words = OF_ONE[verb]
    monkeypatch.chdir(tmp_path)

    def answer(asked, *more):
        return call(*(word.format(asked) for word in words), *more)

    expected = answer("tiny")
    assert expected[0] == 0
    assert expected[1]
    for asked in (
        folder.root,
        folder.root.parent,
        results,
        f"{folder.root.parent}/",
        "results/tiny",
        "tiny/default",
    ):
        code, out, err = answer(asked)
        assert (code, err) == (expected[0], expected[2])
        assert out == expected[1] or verb == "compare"  # which repeats the words
    assert answer(suite_file)[0] == 0
    assert answer("tiny", "--results", folder.root.parent)[0] == 2  # no suite of that name is in there


@pytest.fixture
def address(results, tmp_path, monkeypatch):
    """The results at an address, and a machine without a copy of them."""
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lsbench.store.owned._mirrors", {})
    shutil.copytree(results, tmp_path / "far")
    return f"file://{tmp_path}/far"


@pytest.mark.parametrize("verb", OF_ONE)
def test_results_at_an_address_are_named_like_a_folder(verb, call, results, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def answer(asked, *more):
        code, out, err = call(*(word.format(asked) for word in OF_ONE[verb]), *more)
        assert (code, err) == (0, "") or verb in ("clean", "report")
        plain = re.sub(rf"{tmp_path}/cache/results/\w+/files/([^/]+/far/)?", f"{results}/", out)
        assert plain == out or verb == "show"  # which names files to open: those of the copy
        return plain.replace(address, near(results))

    expected = answer("tiny")
    assert expected
    assert answer("tiny", "--results", address) == expected
    assert answer("tiny", "--results", f"{address}/") == expected
    if verb != "compare":  # which repeats the words
        assert answer(f"{address}/tiny/default") == expected


def test_what_a_verb_changes_at_an_address_arrives_there(call, address, tmp_path):
    far = tmp_path / "far/tiny/default"
    (far / "jobs/stale-1").mkdir()
    (far / "jobs/stale-1/spec.json").write_text("{}")
    code, out, _ = call("clean", "tiny", "--yes", "--results", address)
    assert (code, "freed" in out) == (0, True)
    assert not (far / "jobs/stale-1/spec.json").exists()
    assert (far / "records.jsonl").exists()
    assert not (far / ".owner.json").exists()


def test_a_file_is_not_written_to_an_address(call, address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (
        ("report", "tiny", "--results", address, "-o", "s3://bucket/r.html"),
        ("analyze", "erf", "lsnet_nano", "-o", "s3://bucket/r.html"),
        ("export", "lsnet_nano", "s3://bucket/r.onnx"),
    ):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert "is no file or folder of this machine; write here, then copy it there" in err
    assert not (tmp_path / "s3:").exists()


def test_an_address_without_results_is_named_in_one_line(call, tmp_path, monkeypatch):
    monkeypatch.setenv("LSBENCH_CACHE", str(tmp_path / "cache"))
    url = f"file://{tmp_path}/far"
    code, out, err = call("report", "--results", url)
    assert (code, out) == (5, "")
    assert err == f"lsbench: {url}: no results; start with `lsbench run ablations --results {url}`\n"
    code, out, err = call("verify", "--results", url)
    assert (code, out) == (5, "")
    assert err.startswith(f"lsbench: {url}: no results of a suite with published numbers; start with e.g. ")
    code, out, err = call("report", "--results", "nope://x")
    assert (code, err) == (
        2,
        "lsbench: --results nope://x: Protocol not known: nope; give e.g. s3://bucket/path\n",
    )


def test_a_shell_that_completes_asks_no_address(monkeypatch):
    monkeypatch.setenv("_LSBENCH_COMPLETE", "complete_bash")
    assert str(results_place("s3://bucket/path")) == "s3:/bucket/path"


@pytest.mark.parametrize("verb", [verb for verb in OF_ONE if verb != "compare"])
def test_what_is_not_there_is_one_line(verb, call, folder, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def answer(asked):
        code, out, err = call(*(word.format(asked) for word in OF_ONE[verb]))
        assert (out, err.count("\n")) == ("", 1)
        return code, err

    missing = answer("tinyy")
    assert missing[0] == 2
    assert (
        "tinyy: no such suite file, results folder, or suite with results in results (did you mean"
        in missing[1]
    )
    assert answer("nowhere/suite.yaml")[0] == 2
    code, err = answer(folder.root / "jobs")
    assert code == 5
    assert (
        "jobs: no results in this folder: expected a manifest.json in it, or one or two levels below" in err
    )


def test_a_copied_folder_is_shown_apart_everywhere(call, folder, results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(results / "tiny", results / "tiny_old")
    names = ["tiny in tiny", "tiny in tiny_old"]
    _, out, _ = call("report", "--format", "json")
    assert [table["suite"] for table in json.loads(out)["tables"]] == names
    _, out, _ = call("report", "tiny", "results/tiny_old", "--format", "csv")
    assert [any(line.startswith(f"{name},") for line in out.splitlines()) for name in names] == [True, True]
    _, out, _ = call("report")
    assert all(f"{name} (default)" in out for name in names)
    _, out, _ = call("status")
    assert [line for line in out.splitlines() if line.endswith(": complete")] == [
        f"{n} (default): complete" for n in names
    ]
    _, out, _ = call("report", "tiny", "--format", "json")
    assert [table["suite"] for table in json.loads(out)["tables"]] == ["tiny"]
    code, out, _ = call("compare", "results/tiny", "results/tiny_old")
    assert (code, "equal" in out) == (0, True)
    table = lsbench.load_table(results)
    assert table.suite.unique().tolist() == names
    assert len(table) == 2 * len(lsbench.load_table(results / "tiny"))
    wide = lsbench.load_table(str(results), form="wide")
    assert len(wide) == 2 * len(lsbench.load_table("tiny", form="wide", results=results))


def test_a_renamed_folder_keeps_its_per_image_results_and_nights(
    call, folder, results, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.move(results / "tiny", results / "renamed")
    code, out, err = call("report", "renamed", "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["tables"][0]["suite"] == "tiny"
    assert call("compare", "renamed", "results/renamed")[0] == 0


DAMAGE = {
    "no json": ("manifest.json", "{"),
    "empty": ("manifest.json", ""),
    "a list": ("manifest.json", "[]"),
    "a folder in its place": ("manifest.json", None),
    "jobs": ("jobs.jsonl", "{\n{}\n"),
    "a folder in the place of jobs": ("jobs.jsonl", None),
    "a job of the wrong form": (
        "jobs.jsonl",
        '{"job_id": "ID", "status": "ok", "schema_version": 2, "wall_s": "x"}\n',
    ),
    "records": ("records.jsonl", "{\n{}\n"),
    "a folder in the place of records": ("records.jsonl", None),
}


def spoil(folder, name, content):
    (folder.root / "cache.parquet").unlink(missing_ok=True)
    path = folder.root / name
    first = folder.manifest()["jobs"][0]["id"]
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_text(content.replace("ID", first))


@pytest.fixture
def other(tiny, make_graph, fill_store):
    """A second suite, whole."""
    return fill_store(make_graph({**tiny, "name": "other", "variants": tiny["variants"][:1]}))


#: Damage that a verb comes upon: status and the others do not read the records, nor the settings of jobs.
SEEN = {
    "report": set(DAMAGE),
    "status": {name for name in DAMAGE if "record" not in name and "form" not in name},
}


@pytest.mark.parametrize(("verb", "damage"), [(verb, damage) for verb in SEEN for damage in DAMAGE])
def test_a_damaged_folder_hides_only_itself(verb, damage, call, folder, other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spoil(folder, *DAMAGE[damage])
    code, out, err = call(verb)
    assert (code, "other (default)" in out) == (0, True)
    assert err.startswith(f"lsbench: warning: {folder.root}") == (damage in SEEN[verb])
    assert err.count("\n") == (damage in SEEN[verb])


@pytest.mark.parametrize("damage", sorted(SEEN["status"]))
@pytest.mark.parametrize("words", [("why", "ls/train/seed0"), ("show", "ls/train/seed0")])
def test_jobs_of_other_suites_are_found_beside_a_damaged_one(
    words, damage, call, folder, other, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    spoil(folder, *DAMAGE[damage])
    code, out, err = call(*words)
    assert (code, "other" in out) == (0, True)
    assert err.startswith(f"lsbench: warning: {folder.root}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("damage", DAMAGE)
def test_load_table_of_several_leaves_out_the_damaged_with_a_warning(damage, folder, other, results):
    spoil(folder, *DAMAGE[damage])
    with pytest.warns(LsbenchWarning, match=str(folder.root)):
        table = lsbench.load_table(results)
    assert isinstance(table, pd.DataFrame)
    assert table.suite.unique().tolist() == ["other"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_alone_it_is_one_line_and_exit_two(damage, call, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spoil(folder, *DAMAGE[damage])
    code, out, err = call("report", "tiny")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(folder.root) in err


@pytest.mark.parametrize(
    "words",
    [
        ("report", "tiny", "--rows", "LS"),
        ("report", "tiny", "--columns", "TOP1"),
        ("report", "tiny", "--sort-by", "TOP1"),
        ("plan", "{suite}", "--only", "LS"),
        ("plan", "{suite}", "--skip", "LS/*"),
    ],
)
def test_upper_and_lower_case_differ_for_every_option(words, call, suite_file, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*(word.format(suite=suite_file) for word in words))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert call(*(word.format(suite=suite_file) for word in words[:2]), words[2], words[3].lower())[0] == 0


def test_a_listing_takes_a_glob_as_it_is_written(call):
    assert call("list", "mixers", "ls_*")[1]
    assert call("list", "mixers", "LS_*")[1] == ""


@pytest.mark.parametrize("verb", ["plan", "validate", "gate", "run"])
def test_where_a_suite_file_is_needed_a_folder_is_one_line(verb, call, folder):
    code, out, err = call(verb, folder.root)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is a folder; name the file of a suite, and the folder of its results with --results DIR" in err


#: Options that name what is read, to be refused if it is missing.
READ = {"--data", "--thumbnails", "--checkpoint"}
#: Options that name what is written, or read only if it is there; without results a verb says so.
WRITTEN = {"--output", "--results", "--baseline", "--history", "--junit", "--package"}


def options_with_places():
    """Yield (words of the verb with its arguments, option) of each option that names a file or folder."""

    def walk(command, words):
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, [*words, name])
        arguments = [one for one in command.params if one.param_type_name == "argument" and one.required]
        filled = [*words, *(FILLED.get(one.name, "lsnet_t") for one in arguments)]
        for one in command.params:
            if one.param_type_name == "option" and (one.metavar in ("DIR", "FILE", "DATA", "PATH")):
                yield filled, max(one.opts, key=len)

    yield from walk(typer.main.get_command(create_app()), [])


FILLED = {"suite": "smoke", "kind": "erf", "file": "model.onnx", "name": "imagenet", "folder": "new"}
PLACES = [*options_with_places()]


def test_every_option_that_names_a_place_is_known_to_read_or_to_write():
    assert {option for _, option in PLACES} == READ | WRITTEN


@pytest.mark.parametrize(
    ("words", "option"),
    [pytest.param(words, option, id=f"{words[0]}{option}") for words, option in PLACES if option in READ],
)
def test_a_file_or_folder_to_read_that_is_missing_is_one_line(words, option, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LSBENCH_DATA", raising=False)
    code, out, err = call(*words, option, "nowhere/at-all")
    assert (code, out) == (2, "")
    assert err.startswith(f"lsbench: {option} nowhere/at-all: ")
    assert err.count("\n") == 1


def test_a_folder_that_only_the_environment_names_may_be_absent(call, suite_file, folder, monkeypatch):
    monkeypatch.setenv("LSBENCH_DATA", "nowhere/at-all")
    assert call("plan", suite_file)[0] == 0


@pytest.mark.parametrize("option", [("--set", "defaults.dataset.root=d\udcfc"), ("--data", "d\udcfc")])
def test_text_that_cannot_be_stored_is_refused_in_one_line(option, call, suite_file):
    code, _, told = call("plan", suite_file, *option)
    assert code == 2
    [line] = told.splitlines()
    assert r"expected text in UTF-8, found '" in line
    assert r"d\udcfc'; rename what it names" in line
