import pytest

from ikegw.testing.pair import Pair, make_pair


@pytest.fixture
def pair() -> Pair:
    return make_pair()
