"""The schemas of our own records: one file each, read when asked for. Append-only; every added field has a default."""

from __future__ import annotations

import json
import os
from functools import cache

FOLDER = os.path.dirname(os.path.abspath(__file__))


@cache
def built_in(name: str) -> dict:
    """The schema of `IQ`, `Audio`, `Spectrum` or `Message` as parsed JSON. Shared: not to be changed."""
    with open(os.path.join(FOLDER, f"{name}.avsc"), encoding="utf-8") as file:
        return json.load(file)
