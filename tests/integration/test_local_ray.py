"""A local Ray, seen from outside of its machine."""

import ipaddress
import json
import subprocess
import sys

PROGRAM = """
import json
import psutil
from lsbench.scheduler.local_ray import not_asked_at_the_end
from lsbench.scheduler.ray_pool import RayExecutor

executor = RayExecutor(num_cpus=1)
executor.start()
try:
    import ray

    ray.get(ray.remote(lambda: None).remote())  # a worker listens as well
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    heard = [
        (process.name(), connection.laddr.ip)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    started = executor.life.started()
    asked = {one.name() for one in started} - {one.name() for one in not_asked_at_the_end(started)}
finally:
    executor.close()
print(json.dumps([heard, sorted(asked)]))
"""


def test_nothing_of_a_local_ray_can_be_reached_from_other_machines():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    heard, asked = json.loads(ended.stdout.splitlines()[-1])
    assert {"gcs_server", "raylet"} <= {name for name, _ in heard}
    places = {(name, ipaddress.ip_address(ip)) for name, ip in heard}
    assert {
        (name, str(ip)) for name, ip in places if not (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
    } == set()
    assert asked == ["gcs_server", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "raylet"], (
        "its shutdown takes seconds without one of them, or waits for others"
    )
