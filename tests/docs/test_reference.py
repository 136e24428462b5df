"""The generated pages hold every verb, every option and every key of a suite."""

import re

import pytest
from typer.main import get_command

from lsbench.cli.main import create_app
from lsbench.core.registry import DATASETS, JOBS
from lsbench.suite.json_schema import suite_json_schema

#: What no command of a page sets.
BUILT_IN = {"--help"}


def leaves(command, prefix=""):
    """Yield every verb with its parameters, as the command line itself knows them."""
    for name, below in command.commands.items():
        if hasattr(below, "commands"):
            yield from leaves(below, f"{prefix}{name} ")
        else:
            yield prefix + name, below.params


@pytest.fixture(scope="module")
def verbs(load_hook):
    """Text of the generated section of each verb."""
    parts = re.split(r"(?m)^## (.+)$", load_hook("command_line").to_markdown())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_verb_has_a_section_with_its_options(verbs):
    expected = dict(leaves(get_command(create_app())))
    assert set(verbs) == set(expected)
    for name, params in expected.items():
        written = set(re.findall(r"--[\w-]+", verbs[name]))
        options = {
            option for one in params for option in (*one.opts, *one.secondary_opts) if option[:2] == "--"
        }
        assert options - BUILT_IN <= written, name


def test_usage_meaning_and_default_of_a_verb(verbs):
    assert "lsbench run SUITE [OPTIONS]" in verbs["run"]
    assert (
        "| `--results DIR` | Folder of all results, or its address, e.g. s3://bucket/path. | `results` |"
        in verbs["run"]
    )
    assert "| `-n, --dry-run` |" in verbs["run"]
    assert "One of `ray`, `inline`. | `ray` |" in verbs["run"]
    assert "[OPTIONS]" not in verbs["schema"]


@pytest.fixture(scope="module")
def tables(load_hook):
    """Rows of each generated table: title -> key -> the other cells."""
    parts = re.split(r"(?m)^#+ (.+)$", load_hook("suite_keys").to_markdown())
    rows = {}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        found = re.findall(r"(?m)^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$", text)
        rows[title.strip("`")] = {key: cells for key, *cells in found}
    return rows


def test_every_key_of_a_suite_is_there(tables):
    schema = suite_json_schema()
    assert set(tables["The file itself"]) == set(schema["properties"])
    assert set(tables["variants"]) == set(schema["$defs"]["VariantEntry"]["properties"])
    assert {"lr", "epochs", "distill", "checkpoint_url"} <= set(tables["train"])
    assert {"teacher", "tau"} <= set(tables["Distill"])
    for name in JOBS.names():
        assert set(tables[name]) == set(JOBS.load(name).spec.model_fields)
    for name in DATASETS.names():
        assert set(tables[name]) == set(DATASETS.load(name).spec.model_fields) - {"name"}


def test_values_and_defaults_are_told_in_words(tables):
    assert tables["train"]["smoothing"] == ["number, ≥ 0, < 1", "`0.1`", "Label smoothing"]
    assert tables["train"]["precision"][:2] == ["`fp32`, `bf16`, `fp16`", '`"fp32"`']
    assert tables["The file itself"]["version"][1] == "required"
    assert tables["defaults"]["model"][0] == "a name that `lsbench list models` shows"
    assert tables["Dimension"]["log_uniform"][0] == "two numbers `[low, high]`"


def test_every_key_says_what_it_means(tables):
    assert [
        f"{title}.{key}" for title, rows in tables.items() for key, cells in rows.items() if not cells[2]
    ] == []


@pytest.fixture
def site(load_hook, monkeypatch):
    """The hooks of MkDocs."""
    monkeypatch.syspath_prepend(load_hook("command_line").__spec__.origin.rpartition("/")[0])
    return load_hook("site")


def test_roles_in_docstrings_become_code(site):
    html = "a :class:<code>Metric</code>, :data:<code>~lsbench.core.job.Job</code>; <code>x</code>"
    assert site.on_page_content(html) == "a <code>Metric</code>, <code>Job</code>; <code>x</code>"


def test_links_to_what_is_not_on_the_site_become_names(site):

    class Page:
        class file:  # noqa: N801 - as MkDocs calls it
            src_uri = "robustness.md"

    text = "[a](../benchmarks/README.md#x) [b](data.md) [`c.py`](../lsbench/c.py) [d](../LICENSE) [e](https://e.org/f)"
    assert site.on_page_markdown(text, Page) == (
        "[a](benchmarks.md#x) [b](data.md) `c.py` d (`LICENSE`) [e](https://e.org/f)"
    )
