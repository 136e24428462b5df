import json
from typing import Any, ClassVar

import pytest
from pydantic import TypeAdapter, ValidationError

from lsbench.core.errors import ConfigError
from lsbench.core.job import JobSpec
from lsbench.core.registry import LOGGERS
from lsbench.loggers import LoggerChoices, RunInfo, parse_logger


class Settings(JobSpec):
    """A recipe, as far as loggers go."""

    runtime_fields: ClassVar[frozenset[str]] = frozenset({"loggers"})

    loggers: LoggerChoices = ()


def reasons(choices: Any) -> list[tuple[tuple[Any, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Settings(loggers=choices)
    return [(item["loc"], item["msg"]) for item in caught.value.errors()]


def test_a_name_and_a_name_with_options_mean_a_logger():
    plain, with_options = parse_logger("tensorboard"), parse_logger({"wandb": {"project": "lsnet"}})
    assert (plain.name, plain.kind, plain.options.folder) == (
        "tensorboard",
        LOGGERS.load("tensorboard"),
        None,
    )
    assert (with_options.name, with_options.options.project) == ("wandb", "lsnet")
    assert parse_logger({"mlflow": None}).options == parse_logger("mlflow").options


def test_a_recipe_keeps_them_as_written_through_json():
    written = ["tensorboard", {"wandb": {"project": "lsnet", "tags": ["a"]}}]
    spec = Settings(loggers=written)
    dumped = json.loads(json.dumps(spec.model_dump(mode="json")))
    assert dumped["loggers"] == written
    assert Settings(**dumped) == spec
    assert "loggers" not in Settings.identity_of(dumped)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("tensorbord", "unknown logger 'tensorbord' (did you mean 'tensorboard'?)"),
        ({"wandb": {"projct": "x"}}, "wandb.projct: unknown key (did you mean 'project'?)"),
        ({"wandb": {"mode": "on"}}, "wandb.mode: input should be 'online' or 'offline'"),
        ({"tensorboard": {"folder": "runs"}}, "tensorboard.folder: expected an absolute path"),
        ({"wandb": {}, "mlflow": {}}, "expected the name of a logger, or a mapping of one name"),
        ({"wandb": "lsnet"}, "expected the name of a logger, or a mapping of one name"),
        (3, "expected the name of a logger, or a mapping of one name"),
    ],
)
def test_what_is_wrong_with_an_entry_is_one_line_at_that_entry(choice, reason):
    [(where, message)] = reasons(["mlflow", choice])
    assert where == ("loggers", 1)
    assert message.removeprefix("Value error, ").startswith(reason)
    assert "\n" not in message
    with pytest.raises(ConfigError, match=r"^[^\n]+$"):
        parse_logger(choice)


def test_all_wrong_options_are_named():
    [(_, message)] = reasons([{"wandb": {"projct": "x", "mode": "on"}}])
    assert "wandb.projct" in message
    assert "wandb.mode" in message


def test_a_logger_is_chosen_once():
    [(where, message)] = reasons(["wandb", "mlflow", {"wandb": {"project": "x"}}])
    assert where == ("loggers",)
    assert message.endswith("wandb is given twice")


def test_a_single_name_is_no_list():
    assert reasons("wandb")


def test_editors_are_told_every_name_and_option():
    text = json.dumps(TypeAdapter(LoggerChoices).json_schema())
    for name in LOGGERS.names():
        assert f'"{name}"' in text
        for option in LOGGERS.load(name).spec.model_fields:
            assert f'"{option}"' in text


def test_a_run_is_new_unless_said_otherwise_and_grouped_by_suite_and_preset(tmp_path):
    info = RunInfo("id", "a/train/seed0", "train", "tiny", "default", tmp_path)
    assert info.group == "tiny/default"
    assert info.start_epoch == 0
