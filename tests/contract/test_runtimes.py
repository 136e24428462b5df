"""Every runtime of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import RUNTIMES
from lsbench.testing.test_runtime import *  # noqa: F403 - every promise is tested here

#: They call a C++ compiler, for up to half a minute.
SLOW = {"aot": pytest.mark.slow, "compile": pytest.mark.slow}


@pytest.fixture(
    params=[pytest.param(name, marks=SLOW.get(name, ())) for name in RUNTIMES.own_names()], scope="module"
)
def name(request):
    return request.param
