"""Where the real texts are: the folder in HORNBOOK_DATA."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data():
    folder = os.environ.get("HORNBOOK_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("HORNBOOK_DATA does not name the folder of data sets")
    return Path(folder)
