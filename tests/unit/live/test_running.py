from lsbench.core.lock import locked
from lsbench.live.running import running_jobs
from lsbench.store.results import ResultsFolder


def test_a_job_runs_while_its_lock_is_held(tmp_path):
    folder = ResultsFolder(tmp_path)
    jobs = [(name, f"{name}/train") for name in ("a", "b", "c")]
    (folder.job_folder("b")).mkdir(parents=True)
    (folder.job_folder("b") / ".lock").touch()
    with locked(folder.job_folder("a") / ".lock", what="a"):
        (found,) = running_jobs(folder, jobs)
        assert found.label == "a/train"
        assert found.since.endswith("+00:00")
    assert running_jobs(folder, jobs) == []
    assert not (folder.job_folder("c")).exists(), "looking leaves nothing behind"


def test_looking_keeps_nobody_from_the_lock(tmp_path):
    folder = ResultsFolder(tmp_path)
    (folder.job_folder("a")).mkdir(parents=True)
    (folder.job_folder("a") / ".lock").touch()
    running_jobs(folder, [("a", "a")])
    with locked(folder.job_folder("a") / ".lock", what="a"):
        pass
