"""Runs commands on one core and says what they cost: user and system time of the process and its children."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

CORE = max(os.sched_getaffinity(0))
BIN = Path(sys.executable).parent
Command = Sequence[str | Path]


class Cost(NamedTuple):
    cpu_s: float
    wall_s: float
    status: int


class Missing(Exception):
    """A program that a figure compares with is not installed."""


def pin() -> None:
    os.sched_setaffinity(0, {CORE})


def own(tool: str) -> str:
    """The path of one of our commands, beside the interpreter that runs this."""
    path = BIN / tool
    if not path.exists():
        raise Missing(f"{tool}: pip install sptools-sdr")
    return str(path)


def peer(tool: str, package: str) -> str:
    path = shutil.which(tool)
    if not path:
        raise Missing(f"{tool}: apt install {package}")
    return path


def cost(command: Command, env: dict[str, str] | None = None, stdout: int | IO[bytes] = subprocess.DEVNULL) -> Cost:
    """Runs the command to its end, pinned. Its stderr is shown only if it fails."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        preexec_fn=pin,
    ) as child:  # fmt: skip
        said = child.stderr.read() if child.stderr else b""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    if child.returncode not in (0, -15):  # rtl_fm on the fake ends by SIGTERM
        raise RuntimeError(f"{command} ended with {child.returncode}: {said.decode(errors='replace')[-500:]}")
    return Cost(used.ru_utime + used.ru_stime, wall, child.returncode)


def least(rounds: int, *runs: Callable[[], Cost]) -> list[float]:
    """Least CPU seconds of each run; they take turns, so that a busy moment of the machine meets all."""
    costs = [[run().cpu_s for run in runs] for _ in range(rounds)]
    return [min(column) for column in zip(*costs, strict=True)]
