import inspect

import pytest

from lsbench.engine.named_losses import NamedLosses
from lsbench.engine.objective import Objective
from lsbench.engine.training_task import TrainingTask


@pytest.mark.parametrize("kind", [Objective, NamedLosses])
def test_every_task_has_the_methods_that_the_trainer_calls(kind):
    for name in ("count", "prepare", "loss"):
        asked = list(inspect.signature(getattr(TrainingTask, name)).parameters)
        assert list(inspect.signature(getattr(kind, name)).parameters) == asked
    assert callable(kind.to)
