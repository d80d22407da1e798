"""Rigs for whole commands and drivers."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `import rig`

import rig


@pytest.fixture(scope="session")
def dongle(tmp_path_factory):
    """The folder of the fake librtlsdr, for rig.environment and rig.python."""
    return rig.build(tmp_path_factory.mktemp("librtlsdr"))
