"""Everybody of the tests of authentication, made once."""

import pytest
from auth_world import World, make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()
