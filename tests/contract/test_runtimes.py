"""Every runtime of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import RUNTIMES
from lsbench.testing.test_runtime import *  # noqa: F403 - every promise is tested here


@pytest.fixture(params=RUNTIMES.own_names(), scope="module")
def name(request):
    return request.param
