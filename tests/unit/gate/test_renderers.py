from lsbench.cli.options import GateFormat
from lsbench.gate.renderers import RENDERERS


def test_every_format_that_can_be_asked_for_has_a_renderer():
    assert list(RENDERERS) == [str(name) for name in GateFormat]
