"""Rigs that stand in for hardware: built once, by gcc, into a temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def build(folder: Path) -> Path:
    """A folder with the fake librtlsdr, and modules that keep the real one out.

    pyrtlsdr asks `pyrtlsdrlib`, which bundles the real library, before it looks at LD_LIBRARY_PATH. A module of that
    name that raises ImportError, earlier on PYTHONPATH, is an installation of pyrtlsdr without [lib].
    """
    library = folder / "librtlsdr.so.0"
    options = ["-O2", "-w", "-shared", "-fPIC", "-Wl,-soname,librtlsdr.so.0"]
    subprocess.run(["gcc", *options, "-o", library, HERE / "fake_librtlsdr.c", "-ldl", "-lpthread"], check=True)
    (folder / "librtlsdr.so").symlink_to("librtlsdr.so.0")
    (folder / "pyrtlsdrlib.py").write_text("raise ImportError('kept out by the tests')\n")
    return folder


def environment(folder: Path, **fake: object) -> dict[str, str]:
    """The environment of a process whose librtlsdr is the fake; `fake` are its settings without FAKE_RTL_."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FAKE_RTL_")}
    path = os.pathsep.join(filter(None, [str(folder), kept.get("PYTHONPATH")]))
    return (
        kept
        | {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
        | {f"FAKE_RTL_{name.upper()}": str(value) for name, value in fake.items()}
    )


def python(folder: Path, program: str, **fake: object) -> subprocess.CompletedProcess[str]:
    """Runs `program` in a Python whose librtlsdr is the fake."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment(folder, **fake),
        capture_output=True,
        text=True,
        timeout=30,
    )


def numbered(path: Path, samples: int) -> Path:
    """cu8 data in which every pair of samples tells where it is: u32 words 0, 1, 2… (two samples a word)."""
    np.arange(samples // 2, dtype="<u4").tofile(path)
    return path
