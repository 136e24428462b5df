import pytest

from lsbench.core.errors import ConfigError
from lsbench.suite.loader import load_suite


@pytest.fixture
def searching(tiny):
    """The tiny suite with a valid search in it."""
    tiny["search"] = {"space": {"lr": {"log_uniform": [1e-4, 1e-2]}}, "budget": {"trials": 4}}
    return tiny


def load(searching, write_suite, **search):
    searching["search"] |= search
    return load_suite(write_suite(searching)).search


def test_what_is_left_out_has_its_default(searching, write_suite):
    found = load(searching, write_suite)
    assert (found.job, found.metric, found.mode, found.epochs) == ("train", "val_top1", "max", 1)
    assert found.algorithm.model_dump() == {"name": "asha", "grace_epochs": 1, "reduction_factor": 3}


def test_the_direction_follows_from_the_metric_unless_it_is_given(searching, write_suite):
    assert load(searching, write_suite, metric="train_loss").mode == "min"
    assert load(searching, write_suite, metric="val_top1", mode="min").mode == "min"


def test_a_suite_without_search_has_none(tiny, write_suite):
    assert load_suite(write_suite(tiny)).search is None


WRONG = [
    ({"space": {"lrr": {"choice": [1]}}}, "no setting 'lrr' \\(did you mean 'lr'\\?\\)"),
    ({"space": {"augment.flipp": {"uniform": [0, 1]}}}, "no setting 'augment.flipp'.*'flip'"),
    ({"space": {"lr": {"uniform": [-1.0, 1.0]}}}, "search.space.lr: input should be greater than 0"),
    ({"space": {"epochs": {"choice": [1, 2]}}}, "budget of every trial"),
    ({"space": {"data_workers": {"choice": [1, 2]}}}, "does not change a result"),
    ({"space": {}}, "search.space: .*at least 1 item"),
    ({"space": {"lr": {"choice": [0.1, 0.2]}}}, "holds only 2 settings, found 4"),
    ({"metric": "val_top"}, "does not report 'val_top' \\(did you mean 'val_top1'\\?\\)"),
    ({"metric": "ema_val_top1", "mode": "max"}, "set ema_decay"),
    ({"budget": {"trials": 0}}, "search.budget.trials: .* found 0"),
    ({"job": "trian"}, "no job 'trian' \\(did you mean 'train'\\?\\)"),
    ({"job": "evaluate"}, "'evaluate' reports nothing after an epoch"),
    ({"algorithm": "ashaa"}, "unknown algorithm 'ashaa' \\(did you mean 'asha'\\?\\)"),
    ({"algorithm": {"grace_epochs": 1}}, "this key is required: name"),
    ({"algorithm": {"name": "asha", "grace": 1}}, "search.algorithm.grace: unknown key"),
    ({"algorithm": {"name": "asha", "grace_epochs": 2}}, "has only 1 epoch, found 2"),
    ({"algorithm": "pbt", "space": {"batch_size": {"int_uniform": [1, 9]}}}, "pbt changes settings"),
    ({"algorithm": "pbt", "space": {"weight_decay": {"uniform": [0, 1]}}}, "keep it above 0"),
    ({"algorithm": "pbt", "budget": {"trials": 1}}, "population of at least 2"),
    ({"bugdet": 1}, "unknown key \\(did you mean 'budget'\\?\\)"),
]


@pytest.mark.parametrize(("search", "reason"), WRONG)
def test_a_mistake_is_named_with_its_line(searching, write_suite, search, reason):
    with pytest.raises(ConfigError, match=rf"suite.yaml:\d+: .*{reason}"):
        load(searching, write_suite, **search)


def test_all_mistakes_are_told_together(searching, write_suite):
    space = {"lrr": {"choice": [1]}, "smoothing": {"uniform": [0, 2]}}
    with pytest.raises(ConfigError) as error:
        load(searching, write_suite, space=space, metric="loss", algorithm="x")
    assert len(error.value.problems) == 4


def test_a_search_takes_a_job_that_trains(searching, write_suite):
    searching["jobs"] = [{"profile": {"batch_size": 2}}]
    with pytest.raises(ConfigError, match="no train job"):
        load(searching, write_suite)


def test_early_stopping_takes_figures_on_the_way(searching, write_suite):
    searching["jobs"][0]["train"]["validate_every"] = 0
    with pytest.raises(ConfigError, match="set validate_every to 1 in job 'train'"):
        load(searching, write_suite)
    assert load(searching, write_suite, algorithm="tpe").algorithm.name == "tpe"


def test_a_population_copies_checkpoints_from_the_jobs_own_folders(searching, write_suite):
    searching["jobs"][0]["train"]["checkpoint_url"] = "s3://bucket/here"
    with pytest.raises(ConfigError, match="leave checkpoint_url out"):
        load(searching, write_suite, algorithm="pbt")


def test_presets_and_overrides_change_parts_of_a_search(searching, write_suite):
    searching["presets"] = {"large": {"search": {"budget": {"trials": 32}}}}
    path = write_suite(searching)
    assert load_suite(path, preset="large").search.trials == 32
    assert load_suite(path, overrides=["search.budget.trials=2"]).search.trials == 2


def test_a_trial_of_several_ranks_is_refused(searching, write_suite):
    searching["jobs"][0]["train"]["resources"] = {"num_gpus": 0, "num_ranks": 2}
    with pytest.raises(ConfigError, match="job 'train' requests 2 ranks: search with one"):
        load(searching, write_suite)
