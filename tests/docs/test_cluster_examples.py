"""The files in examples/clusters do what their pages say, as far as that shows without a cluster."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.main import get_command

from lsbench.cli.main import create_app
from lsbench.scheduler.local_ray import FLAGS

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ROOT / "examples" / "clusters"
PAGES = {
    "slurm.sh": "slurm.md",
    "kuberay.yaml": "kubernetes.md",
    "ssh_hosts.yaml": "ssh_hosts.md",
    "workstation.sh": "workstation.md",
}
#: What each node's Ray reads at its start.
NODE_FLAGS = {name: FLAGS[name] for name in FLAGS if name in (ROOT / "docs" / "clusters.md").read_text()}


def text_of(name: str) -> str:
    return (CLUSTERS / name).read_text(encoding="utf-8")


def run_words(text: str) -> list[str]:
    """Return the words after the first `lsbench` of a command."""
    words = shlex.split(text)
    return words[words.index("lsbench") + 1 :]


def parse(words: list[str]) -> None:
    """Parse a command as the command line does, and run nothing."""
    name, *rest = words
    get_command(create_app()).commands[name].make_context(name, rest)  # type: ignore[attr-defined]  # a group


def test_every_file_has_its_page_which_names_it_and_every_page_is_of_a_file() -> None:
    assert {path.name for path in CLUSTERS.iterdir()} == set(PAGES)
    for name, page in PAGES.items():
        assert f"examples/clusters/{name}" in (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert f"docs/{page}" in text_of(name)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "workstation.sh"])
def test_the_rays_of_a_cluster_are_started_as_the_page_on_clusters_says(name: str) -> None:
    assert len(NODE_FLAGS) == 3
    for flag, value in NODE_FLAGS.items():
        assert re.search(rf"{flag}(=|, value: \"){value}\b", text_of(name)), flag


@pytest.mark.parametrize("name", PAGES)
def test_modules_that_a_file_calls_exist(name: str) -> None:
    for module in re.findall(r"lsbench\.\w+\.\w+", text_of(name)):
        assert find_spec(module), module


# Slurm


SRUN = """#!/bin/bash
echo "srun $*" >> "$CALLS"
case "$*" in
    *drain*) exit 0 ;;
    *) exec sleep 60 ;;
esac
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a batch job with commands that only note how they are called."""
    commands = {
        "srun": SRUN,
        "scontrol": '#!/bin/bash\necho "scontrol $*" >> "$CALLS"\necho node7\necho node8\n',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "SLURM_JOB_ID": "123456",
        "SLURM_NNODES": "2",
        "SLURM_JOB_NODELIST": "node[7-8]",
        "SLURM_SUBMIT_DIR": str(tmp_path),
    }


def calls(env: dict[str, str], wanted: str) -> list[str]:
    """Wait until a command is called, and return all calls."""
    path, deadline = Path(env["CALLS"]), time.monotonic() + 30
    while time.monotonic() < deadline:
        found = path.read_text().split("\nsrun ") if path.exists() else []
        if any(wanted in call for call in found):
            return found
        time.sleep(0.01)
    raise AssertionError(f"{wanted} was not called")


def test_the_batch_script_runs_the_suite_and_saves_and_requeues_before_its_time_is_over(
    slurm: dict[str, str],
) -> None:
    words = ["suites/my suite.yaml", "--only", "a*"]
    process = subprocess.Popen(
        ["/bin/bash", CLUSTERS / "slurm.sh", *words], env=slurm, start_new_session=True
    )
    try:
        begun = calls(slurm, "symmetric-run")[-1]
        assert '--address "$HEAD:$PORT" --min-nodes' in begun
        results = f"--results {slurm['SLURM_SUBMIT_DIR']}/results"
        assert begun.rstrip().endswith(
            f"lsbench run suites/my suite.yaml --only a* --address node7:23456 {results}"
        )
        parse(["run", *words, "--address", "node7:23456", "--results", "results"])
        process.send_signal(signal.SIGTERM)
        before = calls(slurm, "scontrol requeue 123456")[-1].partition("scontrol requeue")[0]
        assert before.startswith("--overlap --nodes=2 --ntasks-per-node=1 bash -c")
        assert before.index("python -m lsbench.scheduler.drain") < before.index("ray stop")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_batch_script_leaves_time_to_save(slurm: dict[str, str]) -> None:
    before = int(re.search(r"--signal=B:TERM@(\d+)", text_of("slurm.sh"))[1])  # type: ignore[index]
    wait = int(re.search(r"drain --wait (\d+)", text_of("slurm.sh"))[1])  # type: ignore[index]
    assert wait + 20 <= before
    assert not re.search(r"(?m)^#SBATCH.*--array", text_of("slurm.sh"))


# Kubernetes


def documents() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(text_of("kuberay.yaml"))}


def strict(schema: Any) -> Any:
    """Return a schema that knows no other keys than those that it names, as the server does."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: strict(one) for name, one in value.items()} if key == "properties" else strict(value)
        for key, value in schema.items()
    }
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    return found | ({"additionalProperties": False} if "properties" in schema and not is_open else {})


@pytest.fixture(scope="module")
def rayjob() -> Draft202012Validator:
    """KubeRay's published schema of a RayJob."""
    content = (Path(__file__).parent / "data" / "rayjob_v1.json.gz").read_bytes()
    return Draft202012Validator(strict(json.loads(gzip.decompress(content))))


def test_the_manifest_is_valid_by_kuberays_schema(rayjob: Draft202012Validator) -> None:
    job = documents()["RayJob"]
    assert [error.message for error in rayjob.iter_errors(job)] == []
    assert job["apiVersion"] == "ray.io/v1"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda spec: spec.update(entryPoint="x"), "entryPoint"),
        (lambda spec: spec["rayClusterSpec"]["workerGroupSpecs"][0].update(maxReplicas="4"), "'4'"),
        (lambda spec: spec["rayClusterSpec"]["headGroupSpec"].pop("template"), "template"),
        (
            lambda spec: spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0].update(
                volumeMount=[]
            ),
            "volumeMount",
        ),
    ],
)
def test_the_schema_finds_what_is_wrong(rayjob: Draft202012Validator, change: Any, wrong: str) -> None:
    job = documents()["RayJob"]
    change(job["spec"])
    assert any(wrong in error.message for error in rayjob.iter_errors(job))


def test_every_pod_has_shared_memory_and_the_results_and_saves_before_it_goes() -> None:
    claim, job = documents()["PersistentVolumeClaim"], documents()["RayJob"]
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in (group["template"]["spec"] for group in groups):
        [container] = pod["containers"]
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        volumes = {one["name"]: one for one in pod["volumes"]}
        assert volumes[mounts["/dev/shm"]]["emptyDir"]["medium"] == "Memory"
        assert volumes[mounts["/results"]]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in (group["template"]["spec"] for group in cluster["workerGroupSpecs"]):
        command = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert command[:3] == ["python", "-m", "lsbench.scheduler.drain"]
        assert int(command[-1]) < pod["terminationGracePeriodSeconds"]


def test_the_manifest_starts_from_zero_and_runs_a_command_that_exists() -> None:
    job = documents()["RayJob"]["spec"]
    cluster = job["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert {group["minReplicas"] for group in cluster["workerGroupSpecs"]} == {0}
    words = run_words(job["entrypoint"])
    assert "--wait-for-nodes" in words
    parse(words)


# ssh


def test_the_list_of_hosts_is_valid_by_rays_own_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # Ray notes the state of such clusters there
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load(text_of("ssh_hosts.yaml"))
    validate_config(prepare_config(config))
    assert config["min_workers"] == config["max_workers"] == len(config["provider"]["worker_ips"])
    with pytest.raises(Exception, match="sshuser"):
        validate_config(prepare_config({**config, "auth": {"sshuser": "x"}}))


# Workstation


def test_the_script_for_a_workstation_runs_a_suite_in_the_background(tmp_path: Path) -> None:
    (tmp_path / "lsbench").write_text('#!/bin/bash\necho "ran $*" "$CUDA_VISIBLE_DEVICES"\n')
    (tmp_path / "lsbench").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": "0,1"}
    command = ["/bin/bash", str(CLUSTERS / "workstation.sh"), "my suite.yaml", "--only", "a*"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert re.search(r"lsbench runs as process \d+; its lines go to lsbench\.log", done.stdout)
    log, deadline = tmp_path / "lsbench.log", time.monotonic() + 30
    while not log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert log.read_text() == "ran run my suite.yaml --only a* 0,1\n"


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".sh")])
def test_scripts_can_be_run_and_parse(name: str) -> None:
    assert os.access(CLUSTERS / name, os.X_OK)
    subprocess.run(["/bin/bash", "-n", CLUSTERS / name], check=True)
