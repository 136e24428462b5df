"""A local Ray, seen from outside of its machine."""

import ipaddress
import json
import subprocess
import sys

PROGRAM = """
import json
import psutil
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
finally:
    executor.close()
print(json.dumps(heard))
"""


def test_nothing_of_a_local_ray_can_be_reached_from_other_machines():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    heard = json.loads(ended.stdout.splitlines()[-1])
    assert {"gcs_server", "raylet"} <= {name for name, _ in heard}
    places = {(name, ipaddress.ip_address(ip)) for name, ip in heard}
    assert {
        (name, str(ip)) for name, ip in places if not (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
    } == set()
