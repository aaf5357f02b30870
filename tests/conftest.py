"""For every test: the order in which they run, and how hypothesis searches."""

import pytest
from hypothesis import settings

# A shared machine is slow at times: how long one example takes says nothing. The same examples at every run.
settings.register_profile("ikegw", deadline=None, derandomize=True)
settings.load_profile("ikegw")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real peers last: what fails quickly is told first."""
    items.sort(key=lambda item: item.get_closest_marker("peers") is not None)
