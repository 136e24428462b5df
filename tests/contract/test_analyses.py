"""Every analysis of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import ANALYSES
from lsbench.testing.test_analysis import *  # noqa: F403 - every promise is tested here


@pytest.fixture(params=ANALYSES.own_names())
def name(request):
    return request.param
