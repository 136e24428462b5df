"""Every probe of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import PROBES
from lsbench.testing.test_probe import *  # noqa: F403 - every promise is tested here


@pytest.fixture(params=PROBES.own_names())
def name(request):
    return request.param
