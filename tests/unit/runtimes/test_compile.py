from torch import nn

from lsbench.runtimes import Form
from lsbench.runtimes.compile import RUNTIME


def test_a_model_is_compiled_on_its_first_pass_and_not_before():
    made = RUNTIME.load(nn.Conv2d(3, 4, 3), Form())
    assert made._orig_mod.weight.shape == (4, 3, 3, 3)
    assert RUNTIME.runs_code
    assert RUNTIME.needs_compiler
