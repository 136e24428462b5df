import mlflow
import pytest

from lsbench.loggers import RunInfo
from lsbench.loggers.mlflow import LOGGER, MlflowSpec


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """One database for the module: to create its tables takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("mlflow"))
        yield f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)


def run_info(folder, **changes):
    fields = {"job_id": "train-1", "label": "ls/train/seed0", "kind": "train", "suite": "tiny"}
    return RunInfo(**{**fields, "preset": "default", "folder": folder, **changes})


def runs(url, project):
    client = mlflow.MlflowClient(tracking_uri=url)
    return client, client.search_runs([client.get_experiment_by_name(project).experiment_id])


def test_a_continued_training_is_one_run(url, tmp_path):
    spec = MlflowSpec(url=url, project="continued", tags={"team": "a"})
    first = LOGGER.open(spec, run_info(tmp_path, settings={"lr": 0.1, "mixer": "ls_conv"}))
    first.log(1, {"train_loss": 2.0, "val_top1": 0.25})
    first.close(ok=False)
    client, [stopped] = runs(url, "continued")
    assert stopped.info.status == "FAILED"
    changed = {"lr": 0.1, "mixer": "ls_conv", "data_workers": 8}
    second = LOGGER.open(spec, run_info(tmp_path, settings=changed, start_epoch=1))
    assert runs(url, "continued")[1][0].info.status == "RUNNING"
    second.log(2, {"train_loss": 1.5})
    second.close(ok=True)
    client, [found] = runs(url, "continued")
    assert (found.info.status, found.info.run_name) == ("FINISHED", "ls/train/seed0")
    assert found.data.params == {"lr": "0.1", "mixer": "ls_conv"}
    assert found.data.tags["lsbench.job_id"] == "train-1"
    assert (found.data.tags["lsbench.group"], found.data.tags["team"]) == ("tiny/default", "a")
    history = client.get_metric_history(found.info.run_id, "train_loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.0), (2, 1.5)]


def test_each_job_has_a_run_of_its_own_in_the_suites_experiment(url, tmp_path):
    for name in ("train-1", "train-2"):
        LOGGER.open(MlflowSpec(url=url), run_info(tmp_path, job_id=name, suite="two")).close(ok=True)
    _, found = runs(url, "two")
    assert {run.data.tags["lsbench.job_id"] for run in found} == {"train-1", "train-2"}


def test_more_settings_than_a_request_may_hold_and_a_long_one(url, tmp_path):
    settings = {f"s{number}": number for number in range(150)} | {"long": "x" * 9000}
    spec = MlflowSpec(url=url, project="many")
    LOGGER.open(spec, run_info(tmp_path, settings=settings)).close(ok=True)
    _, [found] = runs(url, "many")
    assert len(found.data.params) == 151
    assert set(found.data.params["long"]) == {"x"}


def test_the_environment_names_the_server_where_the_suite_does_not(url, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
    LOGGER.open(MlflowSpec(project="by-environment"), run_info(tmp_path)).close(ok=True)
    assert len(runs(url, "by-environment")[1]) == 1


def test_without_a_server_the_runs_lie_beside_the_results(tmp_path):
    folder = tmp_path / "results/tiny/default/jobs/train-1"
    folder.mkdir(parents=True)
    LOGGER.open(MlflowSpec(), run_info(folder)).close(ok=True)
    assert len(runs(f"sqlite:///{tmp_path}/results/tiny/default/mlflow.db", "tiny")[1]) == 1
