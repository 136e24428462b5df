"""A local Ray that had to be started again in the check before the run has another node: jobs go there."""

from lsbench.scheduler.driver import Driver
from lsbench.scheduler.protocol import Node
from lsbench.store.results import ResultsFolder
from lsbench.suite.planner import make_plan


def test_jobs_go_to_the_node_that_is_there_after_the_check(
    tiny, make_graph, tmp_path, fake_executor, watcher
):
    folder = ResultsFolder(tmp_path / "results")
    folder.create()
    nodes = [Node("old", 4)]
    executor = fake_executor(nodes, None, 0)

    def preflight(variants, results, needs, data):
        nodes[:] = [Node("new", 4)]
        return []

    executor.preflight = preflight
    plan = make_plan(make_graph(tiny), done=set(), only=[], skip=[], seeds=None)
    driver = Driver(plan, folder, executor, watcher)
    driver.preflight()
    assert not driver.run().failed
    assert {placement.node for _, _, placement in executor.log} == {"new"}
