"""Tests leave the process as it was, whatever the commands that they run in it change."""

import os
import sys

import pytest

from hornbook.core.isolation import SAFE_PATH, isolate

FIRST = "a folder that only an isolated process leaves out"


@pytest.fixture(scope="module")
def made_for_many():
    """What several tests share, made by a command."""
    isolate()


def test_what_a_shared_fixture_changed_is_changed_back(made_for_many):
    assert SAFE_PATH not in os.environ
    sys.path.insert(0, FIRST)


def test_what_a_test_changed_is_changed_back():
    assert FIRST not in sys.path
