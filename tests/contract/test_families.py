"""Every model family of lsbench keeps the promises of its kind; a new one is covered at once."""

import pytest

from lsbench.core.registry import FAMILIES
from lsbench.testing.test_family import *  # noqa: F403 - every promise is tested here


@pytest.fixture(params=FAMILIES.own_names())
def name(request):
    return request.param
