import argparse
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from lsbench.core.checkpoint_kinds import BOTH, cfg_in, checkpoint_content, kinds_of
from lsbench.core.file_content import content_of

STATE = {"model": torch.nn.Linear(2, 2).state_dict(), "args": argparse.Namespace(model_ema=True)}


def saved(folder, content, **how):
    torch.save(content, folder / "a.pth", **how)
    return str(folder / "a.pth")


@pytest.mark.parametrize("is_legacy", [False, True])
def test_a_file_with_both_kinds_is_known_without_torch(tmp_path, is_legacy):
    how = {"_use_new_zipfile_serialization": not is_legacy}
    for content, has_both in (
        (STATE, False),
        ({**STATE, "model_ema": None}, False),
        ({**STATE, "model_ema": STATE["model"]}, True),
        ({"state_dict_ema": STATE["model"]}, False),
        ({"student": STATE["model"], "teacher": STATE["model"]}, True),
        (STATE["model"], False),
    ):
        path = saved(tmp_path, content, **how)
        assert checkpoint_content(path) == content_of(path) + (BOTH if has_both else "")


def test_mmengines_swap_is_known():
    for swapped in ({"module.a": 2}, {"module.a": 2, "steps": 3}, {"a": 2, "steps": 3}):
        assert kinds_of({"state_dict": {"a": 1}, "ema_state_dict": swapped}) == {
            "ema": {"a": 1},
            "raw": swapped,
        }
    assert kinds_of([1]) == {}


@pytest.mark.parametrize(
    ("key", "average"), [("model", {"a": 2}), ("model", {"module.a": 2}), ("state_dict", {"a": 2})]
)
def test_an_average_by_that_name_of_other_programs_is_not_swapped(key, average):
    assert kinds_of({key: {"a": 1}, "ema_state_dict": average}) == {"ema": average, "raw": {"a": 1}}


def test_a_cfg_in_a_file_is_read(tmp_path):
    cfg = {"architecture": "vit", "crop_pct": 0.9, "mean": (0.5, 0.5, 0.5)}
    assert cfg_in(saved(tmp_path, {**STATE, "pretrained_cfg": cfg})) == cfg
    assert cfg_in(saved(tmp_path, STATE)) == {}
    path = tmp_path / "a.safetensors"
    save_file(STATE["model"], path, {"pretrained_cfg": json.dumps(cfg), "format": "pt"})
    assert cfg_in(str(path)) == json.loads(json.dumps(cfg))
    save_file(STATE["model"], path)
    assert cfg_in(str(path)) == cfg_in("https://example.org/a.pth") == cfg_in("") == {}


class Malicious:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_no_code_of_a_file_is_run_and_damage_is_left_to_whoever_loads_it(tmp_path):
    path = tmp_path / "bad.pth"
    for content in (pickle.dumps({"model": Malicious(tmp_path / "mark")}), b"", b"text", b"PK\x03\x04" * 9):
        path.write_bytes(content)
        assert checkpoint_content(str(path)) == content_of(str(path))
    assert not (tmp_path / "mark").exists()
