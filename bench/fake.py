"""The fake librtlsdr of the tests, built for the peers: rtl_fm and rtl_power believe that they read a dongle."""

import subprocess
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "tests/rig/fake_librtlsdr.c"


@cache
def build(folder: Path) -> Path:
    """Builds the library into FOLDER; gives its path."""
    path = folder / "librtlsdr.so.0"
    flags = ["-O2", "-shared", "-fPIC", "-Wl,-soname,librtlsdr.so.0"]
    subprocess.run(["gcc", *flags, "-o", path, SOURCE, "-ldl", "-lpthread"], check=True)
    return path


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """What makes a program use the fake; `file=…, pace=0` become FAKE_RTL_FILE, FAKE_RTL_PACE."""
    return {"LD_LIBRARY_PATH": str(folder)} | {f"FAKE_RTL_{key.upper()}": str(value) for key, value in settings.items()}
