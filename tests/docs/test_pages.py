"""The pages are true: commands print what is shown, YAML is valid, Python runs, links lead somewhere.

After a wanted change of an output, rewrite the pages and read the difference before you commit it:
``LSBENCH_REWRITE_GOLDEN=1 pytest -n 0 tests/docs``
"""

import os
import re
import shlex
import shutil
import textwrap
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

import pytest
import yaml
from typer.main import get_command

from lsbench.cli.main import create_app, run_command
from lsbench.suite.loader import load_suite

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
COMMAND = get_command(create_app())
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(lsbench|tests|docs|suites|benchmarks|examples|ci|\.ci|\.github)/[\w./-]*")
PART = re.compile(r"# part: (\w+)\n")
#: Around a part of a suite: a suite that is valid with it.
SKELETON = {
    "version": 1,
    "name": "page",
    "defaults": {"model": "lsnet_nano", "dataset": {"name": "fashion", "img_size": 32}},
    "variants": [{"name": "ls_conv", "mixer": "ls_conv"}, {"name": "identity", "mixer": "identity"}],
    "jobs": [
        "train",
        "evaluate",
        {"profile": {"probes": ["params", "macs", "latency_ratio"], "control": "lsnet_t"}},
    ],
}
#: A mixer that a reader writes, and one that ships and takes its place where a page is only checked.
WRITTEN_BY_THE_READER = {"big_kernel": "ls_conv"}


def id_of(path):
    return str(path.relative_to(ROOT))


def blocks(path, *languages):
    return [
        text for language, text in BLOCK.findall(path.read_text(encoding="utf-8")) if language in languages
    ]


def having(*languages):
    return [path for path in PAGES if blocks(path, *languages)]


def commands(text):
    """Return every lsbench command of a shell block, as words."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\|", line.removeprefix("$ ")):
            words = shlex.split(part, comments=True)
            if words and words[0] == "lsbench":
                found.append(words[1 : words.index(">") if ">" in words else None])
    return found


def parse(words):
    """Parse a command as the command line does, and run nothing."""
    command, name = COMMAND, "lsbench"
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"no verb {name}"
        command = command.commands[name]
    command.make_context(name, list(words))


@pytest.mark.parametrize("path", having("sh", "console"), ids=id_of)
def test_every_command_parses(path, monkeypatch):
    monkeypatch.setattr("lsbench.store.owned.results_at", Path)  # no address is asked
    for text in blocks(path, "sh"):
        for words in commands(text):
            parse(words)
    for text in blocks(path, "console"):
        for words in commands("\n".join(line for line in text.splitlines() if line.startswith("$ "))):
            parse(words)


def all_options(command):
    for below in getattr(command, "commands", {}).values():
        yield from all_options(below)
    for one in command.params:
        yield from (*one.opts, *one.secondary_opts)


@pytest.mark.parametrize("path", PAGES, ids=id_of)
def test_verbs_and_options_in_running_text_exist(path):
    options = {*all_options(COMMAND), "--help"}
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    verbs = set(COMMAND.commands)
    for code in re.findall(r"`([^`\n]+)`", text):
        words = code.replace("|", " ").split()
        if words[0] == "lsbench" and len(words) > 1 and words[1].isalpha() and words[1].islower():
            assert words[1] in verbs, code
        if words[0] == "lsbench" or (words[0].startswith("--") and path.parent.name != "benchmarks"):
            unknown = [
                word for word in words if word.startswith("--") and word.partition("=")[0] not in options
            ]
            assert not unknown, code


@pytest.mark.parametrize("path", PAGES, ids=id_of)
def test_files_and_modules_in_running_text_exist(path):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for code in re.findall(r"`([^`\n]+)`", text):
        if FILE.fullmatch(code) and Path(code).stem not in ("NAME", *WRITTEN_BY_THE_READER):
            assert (ROOT / code).exists(), code
        if module := re.match(r"python -m (lsbench[\w.]*)", code):
            assert find_spec(module[1]), code


@pytest.fixture
def golden(tmp_path, monkeypatch):
    """Work in a folder that holds stored results of the suite `golden`."""
    stored = ROOT / "tests" / "golden" / "results" / "golden" / "default"
    shutil.copytree(stored, tmp_path / "results" / "golden" / "default")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def printed(words, capsys):
    capsys.readouterr()
    assert run_command(words) == 0
    return [line.rstrip() for line in capsys.readouterr().out.rstrip().splitlines()]


def session_of(text, capsys):
    """Return a block `console` as the commands print it now; after a line ``...`` the rest is left out."""
    parts = re.split(r"(?m)^(\$ .*\n)", text)
    for line, shown in zip(parts[1::2], parts[2::2], strict=True):
        [words] = commands(line)
        lines = printed(words, capsys)
        if shown.endswith("\n...\n"):
            lines = [*lines[: shown.count("\n") - 1], "..."]
        yield line + "".join(f"{one}\n" for one in lines)


@pytest.mark.parametrize("path", having("console"), ids=id_of)
def test_outputs_are_what_the_commands_print(path, golden, capsys):
    for text in blocks(path, "console"):
        wanted = "".join(session_of(text, capsys))
        if os.environ.get("LSBENCH_REWRITE_GOLDEN"):
            page = path.read_text(encoding="utf-8")
            path.write_text(page.replace(f"```console\n{text}", f"```console\n{wanted}"), encoding="utf-8")
        else:
            assert text == wanted


def as_suite(text):
    """Return a block as a whole suite of mixers that ship."""
    for written, ours in WRITTEN_BY_THE_READER.items():
        text = text.replace(f"mixer: [{written}]", f"mixer: [{ours}]")
    part = PART.match(text)
    if part is None:
        return text
    around = {key: value for key, value in SKELETON.items() if key != part[1]}
    return f"{yaml.safe_dump(around)}{part[1]}:\n{textwrap.indent(text, '  ')}"


@pytest.mark.parametrize("path", having("yaml"), ids=id_of)
def test_suites_and_parts_of_suites_are_valid(path, tmp_path):
    for number, text in enumerate(blocks(path, "yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(as_suite(text), encoding="utf-8")
        assert load_suite(str(file)).variants


@pytest.mark.parametrize("path", having("python"), ids=id_of)
def test_python_runs(path, golden):
    names = {}
    for text in blocks(path, "python"):
        code = compile(text, id_of(path), "exec")
        if not text.startswith("# no-run: "):
            exec(code, names)


def slug(title):
    """Return the anchor of a title, as Python-Markdown makes it."""
    plain = re.sub(r"[^\w\s-]", "", title.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)


def anchors(path):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    return {slug(title) for title in re.findall(r"(?m)^#+ (.+)$", text)}


@pytest.mark.parametrize("path", PAGES, ids=id_of)
def test_links_lead_somewhere(path, reference):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), target
        if anchor.startswith("lsbench."):
            assert resolve_name(anchor)
        elif anchor:
            generated = reference if "<!-- generated:" in place.read_text(encoding="utf-8") else set()
            assert anchor in anchors(place) | generated, target


@pytest.fixture(scope="module")
def reference(load_hook):
    """The anchors of the generated parts of pages."""
    made = [load_hook(name).to_markdown() for name in ("command_line", "suite_keys")]
    return {slug(title) for text in made for title in re.findall(r"(?m)^#+ (.+)$", text)}


def test_the_readme_is_short_and_leads_to_every_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 160
    linked = set(re.findall(r"\]\(docs/(\w+)\.md\)", readme))
    assert linked == {path.stem for path in PAGES if path.parent == ROOT / "docs"} - {"index"}
