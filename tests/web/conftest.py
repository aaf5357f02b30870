"""A status page about what a test says."""

import pytest
from browsing import Looking


@pytest.fixture
def looking() -> Looking:
    return Looking()
