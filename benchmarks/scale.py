"""What the driver costs at scale: planning, placing and following 1,000 to 30,000 jobs on 128 GPUs.

    python benchmarks/scale.py simulated   # the queue in simulated time against the bound, in a minute
    python benchmarks/scale.py verbs       # plan, a run with nothing left to do, and status
    python benchmarks/scale.py real        # the real driver and Ray on 16 raylets of this host, fake GPUs
    python benchmarks/scale.py trainings   # 128 trainings that only report their progress
    python benchmarks/scale.py all         # one after the other

In `real` and `trainings`, Ray workers do nothing but write a result, or tell a step, in the place of the
process of a job: what is measured is the driver. Its times are CPU times of its process with all its threads.
Ray's own share is measured on the same raylets by a loop that starts tasks and does nothing else.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from lsbench.core.checked_lines import to_line
from lsbench.core.plugin_code import files_hash
from lsbench.core.record import SCHEMA_VERSION
from lsbench.scheduler.ledger import Ledger, ResourceRequest
from lsbench.scheduler.protocol import Node
from lsbench.scheduler.queue import JobQueue, WaitingJob
from lsbench.scheduler.run import write_manifest
from lsbench.store.results import RESULT, SPEC, ResultsFolder
from lsbench.suite.graph import JobGraph, build_graph, critical_path
from lsbench.suite.loader import load_suite
from lsbench.suite.planner import Plan, make_plan

#: Jobs of each part unless `--jobs` says otherwise. What ends in seconds is shown for more.
JOBS = {"simulated": [1000, 10_000], "verbs": [1000, 3000, 10_000, 30_000], "real": [1000, 3000, 10_000]}
HOUR, NUM_GPUS, GPUS_PER_NODE = 3600.0, 128, 8
#: A job of a simulation: GPUs, seconds, and the numbers of the jobs that it needs.
Simulated = tuple[float, float, tuple[int, ...]]


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - durations of jobs


def shapes(rng: random.Random, count: int) -> dict[str, list[Simulated]]:
    """Return five suites of about `count` jobs."""
    chains: list[Simulated] = []
    for _ in range(count // 5):
        first = len(chains)
        chains.append((rng.choice((1, 1, 2, 4)), rng.uniform(1, 8) * HOUR, ()))
        chains += [(1, rng.uniform(0.05, 0.5) * HOUR, (first + step,)) for step in range(4)]
    late: list[Simulated] = [(1, 0.05 * HOUR, ())]
    late += [(1, rng.uniform(0.5, 8) * HOUR, ()) for _ in range(count // 2)]
    late += [(8, rng.uniform(8, 12) * HOUR, (0,)) for _ in range(max(5, count // 100))]
    sizes = (0.25, 0.5, 1, 1, 1, 2, 4, 8)
    return {
        "many small": [(1, rng.uniform(0.5, 2) * HOUR, ()) for _ in range(count)],
        "few big": [(8, rng.uniform(4, 16) * HOUR, ()) for _ in range(max(100, count // 10))],
        "chains": chains,
        "mixed": [(rng.choice(sizes), rng.lognormvariate(0, 1) * HOUR, ()) for _ in range(count)],
        "late big": late,
    }


def bound(jobs: list[Simulated]) -> tuple[float, list[float]]:
    """Return the least makespan, by area and by the longest chain, and the chain that each job begins."""
    length = [seconds for _, seconds, _ in jobs]
    for number in reversed(range(len(jobs))):
        for need in jobs[number][2]:
            length[need] = max(length[need], jobs[need][1] + length[number])
    area = sum(gpus * seconds for gpus, seconds, _ in jobs) / NUM_GPUS
    return max(area, *length), length


class Simulation:
    """A suite on 16 nodes of 8 GPUs, in simulated time, with the queue of the driver."""

    def __init__(self, jobs: list[Simulated], expected: Callable[[int], float | None]) -> None:
        """Take the jobs, and what is expected of the duration of each."""
        self.jobs = jobs
        self.bound, self.length = bound(jobs)
        nodes = [Node(f"n{number:02}", 64, GPUS_PER_NODE) for number in range(NUM_GPUS // GPUS_PER_NODE)]
        self.queue = JobQueue(Ledger(nodes), lambda name: expected(int(name)))

    def run(self) -> tuple[float, float]:
        """Return the makespan in units of the bound, and the milliseconds of the queue for each job."""
        left = [len(needs) for *_, needs in self.jobs]
        dependents: list[list[int]] = [[] for _ in self.jobs]
        for number, (*_, needs) in enumerate(self.jobs):
            for need in needs:
                dependents[need].append(number)
        running: list[tuple[float, int, Any]] = []
        now, began = 0.0, time.process_time()
        for number in (number for number, count in enumerate(left) if not count):
            self._add(number)
        while running or len(self.queue):
            for job, placement in self.queue.starts(now):
                heapq.heappush(running, (now + self.jobs[int(job.name)][1], int(job.name), placement))
            now, ended, placement = heapq.heappop(running)
            self.queue.end(str(ended), placement)
            for number in dependents[ended]:
                left[number] -= 1
                if not left[number]:
                    self._add(number)
        return now / self.bound, (time.process_time() - began) / len(self.jobs) * 1e3

    def _add(self, number: int) -> None:
        gpus = self.jobs[number][0]
        request = ResourceRequest(max(1, math.ceil(gpus)), float(gpus), "no")
        self.queue.add(WaitingJob(str(number), request, self.length[number], number))


def simulate(counts: list[int], seeds: int) -> None:
    """Print makespan over bound, median and largest over seeds, with durations unknown, known and guessed."""
    print("makespan / bound (largest of all seeds), and CPU of the queue per job\n")
    print("| suite | jobs | unknown | known | off by a third | CPU (ms) |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        for name in shapes(_rng(0), count):
            cells, costs, size = [], [], 0
            for kind in ("unknown", "known", "guessed"):
                ratios = []
                for seed in range(seeds):
                    jobs = shapes(_rng(seed), count)[name]
                    noise = _rng(seed)
                    off = [noise.lognormvariate(0, 0.3) if kind == "guessed" else 1.0 for _ in jobs]

                    def expected(
                        number: int, jobs: Any = jobs, off: Any = off, kind: str = kind
                    ) -> float | None:
                        return None if kind == "unknown" else jobs[number][1] * off[number]

                    ratio, cost = Simulation(jobs, expected).run()
                    ratios.append(ratio)
                    costs.append(cost)
                    size = len(jobs)
                cells.append(f"{statistics.median(ratios):.3f} ({max(ratios):.3f})")
            print(f"| {name} | {size} | {' | '.join(cells)} | {statistics.median(costs):.2f} |", flush=True)


def write_suite(folder: Path, count: int) -> Path:
    """Write a suite of about `count` jobs: rows that are trained and evaluated by seed, profiled once."""
    seeds = [0, 1, 2] if count <= 10_000 else [*range(10)]
    rows = count // (2 * len(seeds) + 1) + 1
    data = {"name": "fashion", "train_images": 40, "val_images": 20, "test_images": 20}
    suite = {
        "version": 1,
        "name": f"scale_{count}",
        "defaults": {"model": "lsnet_nano", "dataset": data},
        "variants": [
            {
                "name": f"v{row}",
                "mixer": ("ls_conv", "identity", "involution")[row % 3],
                "model_args": {"drop_path_rate": round(1e-5 * (row + 1), 6)},
            }
            for row in range(rows)
        ],
        "jobs": [
            {"train": {"epochs": 1, "batch_size": 20}},
            "evaluate",
            {"profile": {"batch_size": 2, "probes": ["params", "macs"]}},
        ],
        "seeds": seeds,
    }
    path = folder / f"scale_{count}.yaml"
    path.write_text(yaml.safe_dump(suite, sort_keys=False))
    return path


def result_of(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a job writes as its last act, with one number."""
    record = {
        "job_id": job["id"],
        "metric": "top1",
        "value": 0.5,
        "unit": "fraction",
        "n": 20,
        **dict.fromkeys(("ci_low", "ci_high", "ci_method")),
        "protocol": "test|n=20|v1",
        "dataset": "fashion",
        "setting": {},
    }
    line = {
        "schema_version": SCHEMA_VERSION,
        "job_id": job["id"],
        "status": "ok",
        "code": {plugin: files_hash(files) for plugin, files in job["code"].items()},
        "kind": job["kind"],
        "label": job["id"],
        "seed": job["seed"],
        "started_at": "2026-01-01T00:00:00+00:00",
        "wall_s": 1.0,
        "error": None,
        "setting": job["spec"],
        "provenance": {"cpu": "a cpu", "host": "a host"},
    }
    return {"job": line, "records": [record] * (job["kind"] == "evaluate")}


def fill(graph: JobGraph, results: Path) -> ResultsFolder:
    """Write a store in which every job is done, without waiting for the disk."""
    folder = ResultsFolder(results / graph.suite.name / graph.suite.preset)
    folder.create()
    write_manifest(graph, folder)
    with (
        (folder.root / "jobs.jsonl").open("wb") as jobs,
        (folder.root / "records.jsonl").open("wb") as records,
    ):
        for name, job in graph.by_id().items():
            found = result_of(job.model_dump(mode="json"))
            place = folder.job_folder(name)
            place.mkdir()
            (place / RESULT).write_text(json.dumps(found, indent=1))
            (place / SPEC).write_text(job.model_dump_json(indent=1))
            jobs.write(to_line({**found["job"], "attempts": 1}))
            records.writelines(map(to_line, found["records"]))
    return folder


def time_verbs(counts: list[int], repeats: int) -> None:
    """Print the CPU time and the wall time of each verb, in a fresh process: the least of some."""
    print("| jobs | plan (s) | plan, all done (s) | nothing left to do (s) | status (s) |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            suite = str(write_suite(folder, count))
            graph = build_graph(load_suite(suite))
            fill(graph, folder / "done")
            verbs = (("plan", "new"), ("plan", "done"), ("run", "done"), ("status", "done"))
            cells = []
            for verb, results in verbs:
                asked = graph.suite.name if verb == "status" else suite
                command = [sys.executable, "-m", "lsbench", verb, asked, "--results", str(folder / results)]
                cpu, wall = map(min, zip(*(_cost(command) for _ in range(repeats)), strict=True))
                cells.append(f"{cpu:.1f} ({wall:.1f})")
            print(f"| {len(graph.jobs)} | {' | '.join(cells)} |", flush=True)


def _cost(command: list[str]) -> tuple[float, float]:
    """Return the CPU seconds and the seconds of a command."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own module
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - began


def trivial_job(request: dict[str, Any], *_: Any) -> Iterator[dict[str, Any]]:
    """Write a result at once, in the place of the process of a job."""
    from lsbench.core.atomic import write_json
    from lsbench.store.results import begin_job

    folder = Path(request["folder"])
    begin_job(folder, request["spec"])
    yield {"ev": "start", "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""), "nice": 0}
    (folder / "log.txt").touch()
    write_json(folder / RESULT, result_of(json.loads(request["spec"])))
    yield {"ev": "step", "step": 1, "steps": 1}
    yield {"ev": "end", "ok": True}


def tell(*_: Any) -> Iterator[dict[str, Any]]:
    """Tell what a trivial job tells, and do nothing."""
    yield {"ev": "start", "gpus": "", "nice": 0}
    yield {"ev": "step", "step": 1, "steps": 1}
    yield {"ev": "end", "ok": True}


def long_job(request: dict[str, Any], *_: Any) -> Iterator[dict[str, Any]]:
    """Tell a step as often as a training is allowed to, without end."""
    yield {"ev": "start", "gpus": "", "nice": 0}
    for step in range(1, 100_000):
        time.sleep(request["step_s"])
        where = {"epoch": 1, "epochs": 100, "step": step, "steps": 100_000}
        yield {"ev": "step", **where, "loss": 1.0, "images_per_s": 1000.0}


class OnRay:
    """A driver on raylets of this host with fake GPUs, and what it costs."""

    def __init__(self, nodes: int, task: Callable[..., Any]) -> None:
        """Start the raylets; `task` is run in the place of the processes of jobs."""
        self.nodes, self.task = nodes, task
        from lsbench.scheduler.local_ray import FLAGS

        os.environ.update(FLAGS)
        from ray.cluster_utils import Cluster

        gpus = NUM_GPUS // nodes
        options = {"num_cpus": 2 * gpus, "num_gpus": gpus, "object_store_memory": 100 * 2**20}
        self.cluster = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
        for _ in range(nodes - 1):
            self.cluster.add_node(**options)
        self.cluster.wait_for_nodes()

    def drive(self, count: int, stop_after_s: float = math.inf) -> tuple[float, float, int]:
        """Run a suite; return the seconds that it took, those of the driver's CPU, and the number of jobs."""
        import ray

        from lsbench.rendering.console import create_console
        from lsbench.scheduler.driver import Driver
        from lsbench.scheduler.progress import PlainWatcher
        from lsbench.scheduler.ray_pool import RayExecutor

        with tempfile.TemporaryDirectory() as name:
            plan = _plan(Path(name), count)
            folder = ResultsFolder(Path(name) / "results" / "scale" / "default")
            folder.create()
            executor = RayExecutor(self.cluster.address)
            executor.start()
            executor._task = ray.remote(max_retries=0, max_calls=0)(self.task)
            watcher = PlainWatcher(plan, folder, create_console())
            driver = Driver(plan, folder, executor, watcher)
            if stop_after_s < math.inf:
                return self._follow(driver, stop_after_s)
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = driver.run()
            spent = time.perf_counter() - wall, time.process_time() - cpu, len(outcome.ok)
            files = [len(list(place.iterdir())) for place in (folder.root / "jobs").iterdir()]
            print(f"files per job: {max(files)}", file=sys.stderr)
            executor.close()
            return spent

    def bare(self, count: int) -> float:
        """Return the CPU seconds of a loop that starts as many tasks and takes what they tell: Ray alone."""
        import ray

        from lsbench.scheduler.ray_tasks import pinned

        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="ERROR")
        task = ray.remote(max_retries=0, max_calls=0)(tell)
        ids = [node["NodeID"] for node in ray.nodes()]
        starters = [task.options(**pinned(node, num_cpus=1, num_gpus=1)) for node in ids]
        free = [starter for starter in starters for _ in range(NUM_GPUS // self.nodes)]
        running: dict[Any, Any] = {}
        left, began = count, time.process_time()
        while left or running:
            while free and left:
                starter = free.pop()
                running[starter.remote({"folder": "jobs/0123456789ab"}, "token", 60.0, 1, None)] = starter
                left -= 1
            ray.wait([*running], num_returns=1, timeout=0.25)
            time.sleep(0.2)
            while ready := ray.wait([*running], num_returns=len(running), timeout=0)[0] if running else []:
                told = ray.get([next(stream) for stream in ready])
                free += [
                    running.pop(stream) for stream, event in zip(ready, told, strict=True) if "ok" in event
                ]
        spent = time.process_time() - began
        ray.shutdown()
        return spent

    @staticmethod
    def _follow(driver: Any, seconds: float) -> tuple[float, float, int]:
        """Follow running jobs for some seconds, once all of them have started."""
        wanted = len(driver.waiting)
        began = wall = cpu = 0.0
        while not began or time.perf_counter() - began < seconds:
            driver._start_what_fits()
            driver._take(driver.executor.poll(0.25))
            driver._refresh_nodes()
            driver.watcher.tick()
            started = len(driver.watcher.started_at)
            if not began and (started >= NUM_GPUS or started == wanted):
                began = wall = time.perf_counter()
                cpu = time.process_time()
        spent = time.perf_counter() - wall, time.process_time() - cpu, len(driver.running)
        driver.executor.close()
        return spent


def _plan(folder: Path, count: int) -> Plan:
    graph = build_graph(load_suite(str(write_suite(folder, count))))
    critical_path(graph)
    return make_plan(graph, done=set(), only=[], skip=[], seeds=None)


def on_ray(counts: list[int], nodes: int) -> None:
    """Print what the driver costs for suites of trivial jobs."""
    stage = OnRay(nodes, trivial_job)
    print(f"{nodes} raylets with {NUM_GPUS // nodes} GPUs each")
    floor = [1e3 * stage.bare(counts[0]) / counts[0] for _ in range(2)][-1]
    print(f"Ray alone: {floor:.2f} ms for a task that tells as much, and nothing else\n", flush=True)
    print("| jobs | wall (s) | driver's CPU (s) | per job (ms) | driver's memory (MiB) |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        wall, cpu, jobs = stage.drive(count)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {jobs} | {wall:.1f} | {cpu:.1f} | {1e3 * cpu / jobs:.2f} | {memory:.0f} |", flush=True)
    stage.cluster.shutdown()


def on_trainings(nodes: int, seconds: float) -> None:
    """Print the share of a core that the driver takes while trainings run on all GPUs."""
    stage = OnRay(nodes, long_job)
    wall, cpu, jobs = stage.drive(1000, seconds)
    print(f"{jobs} running trainings: {100 * cpu / wall:.1f} % of a core over {wall:.0f} s")
    stage.cluster.shutdown()


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("simulated", "verbs", "real", "trainings", "all"))
    parser.add_argument("--jobs", type=int, nargs="+", help="numbers of jobs, for all parts")
    parser.add_argument("--seeds", type=int, default=5, help="of the simulation")
    parser.add_argument("--nodes", type=int, default=16, help="raylets")
    parser.add_argument("--seconds", type=float, default=60.0, help="that trainings are followed")
    parser.add_argument("--repeats", type=int, default=3, help="of each verb")
    args = parser.parse_args()
    gc.set_threshold(50_000, 50, 100)  # as the command does
    if args.part == "all":
        options = [word for word in sys.argv[1:] if word != "all"]
        for part in ("simulated", "verbs", "real", "trainings"):  # each with a memory of its own
            subprocess.run([sys.executable, __file__, part, *options], check=True)  # noqa: S603 - ourselves
        return
    counts = args.jobs or JOBS.get(args.part, [])
    if args.part == "simulated":
        simulate(counts, args.seeds)
    elif args.part == "verbs":
        time_verbs(counts, args.repeats)
    elif args.part == "real":
        on_ray(counts, args.nodes)
    else:
        on_trainings(args.nodes, args.seconds)


if __name__ == "__main__":
    main()
