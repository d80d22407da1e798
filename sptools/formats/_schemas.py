"""The built-in records' schemas, as they stand in `sptools/schemas`."""

from __future__ import annotations

import json
import os
from functools import cache

FOLDER = os.path.join(os.path.dirname(__file__), "..", "schemas")


@cache
def built_in(name: str) -> dict:
    """The schema of `IQ`, `Audio`, `Spectrum` or `Message`. Shared: not to be changed."""
    with open(os.path.join(FOLDER, f"{name}.avsc"), encoding="utf-8") as f:
        return json.load(f)
