"""Every plug-in of lsbench keeps the promises that ship as lsbench.testing; a new file is covered at once."""

from typing import Any

import pytest

pytest.register_assert_rewrite("lsbench.testing")


@pytest.fixture(scope="session")
def lsbench_settings() -> dict[str, Any]:
    """No settings but those that a test module gives."""
    return {}
