from types import SimpleNamespace

import psutil

from lsbench.engine.distributed import host_store
from lsbench.scheduler.loopback import create_rendezvous


def listening():
    found = psutil.Process().net_connections()
    return {one.laddr for one in found if one.status == psutil.CONN_LISTEN}


def test_ranks_of_one_node_meet_where_nobody_else_can_reach_them():
    before = listening()
    meeting = create_rendezvous(SimpleNamespace(endpoint="127.0.0.1:0", run_id="it"))
    counter = host_store("127.0.0.1")
    found = meeting.next_rendezvous()
    found.store.set("a", "1")
    assert found.store.get("a") == b"1"
    assert (counter.add("count", 1), counter.add("count", 1)) == (1, 2)
    new = listening() - before
    assert {(one.ip, one.port) for one in new} == {
        ("127.0.0.1", found.bootstrap_store_info.master_port),
        ("127.0.0.1", counter.port),
    }
