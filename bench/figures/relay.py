"""sp-relay against the straightforward relay in C: CPU a datagram, both storing on tmpfs and sending to two groups."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from figure import Bench, Figure
from measure import Missing, own

HERE = Path(__file__).resolve().parents[1] / "relay"
PROGRAMS = ("load", "sink", "straight")
# bytes, a second, in a train, must, aim
CASES = (
    (64, 100_000, 1, 4, 8), (1400, 80_000, 1, 3, 5), (1400, 160_000, 46, 5, 15), (8900, 20_000, 7, 2.5, 6),
)  # fmt: skip
SECONDS = 5


def build(folder: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        raise Missing("a C compiler: apt install gcc")
    for name in PROGRAMS:
        subprocess.run([compiler, "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")], check=True)


def cost_us(run: dict) -> float:
    """Of a datagram that was received, delivery to the readers on loopback included."""
    received = run["stats"]["frames"] if "stats" in run else int(run["said"])
    return run["cpu_ns"] / 1e3 / max(received, 1)


def figures(bench: Bench) -> Iterator[Figure]:
    own("sp-relay")
    build(bench.folder)
    cache = Path("/dev/shm") / f"{bench.folder.name}-cache"
    for size, rate, train, must, aim in CASES:
        words = [str(bench.folder), str(cache), size, rate, max(1, SECONDS * bench.scale), train, bench.rounds]
        command = ["unshare", "-n", sys.executable, str(HERE / "compare.py"), *map(str, words)]
        # the checkout's own code, wherever another one is installed
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])})
        shutil.rmtree(cache, ignore_errors=True)
        if done.returncode:
            raise RuntimeError(f"relay: {done.stderr.strip()[-300:]}")
        runs = json.loads(done.stdout)
        ours, theirs = [sorted(map(cost_us, runs[who])) for who in ("ours", "theirs")]
        lost = [sum(run["sent"] - run["stats"]["frames"] + run["stats"]["not_stored"] for run in runs["ours"]),
                sum(run["sent"] - int(run["said"]) for run in runs["theirs"])]  # fmt: skip
        yield Figure(
            f"relay, {size} B {'trains' if train > 1 else 'plain'}, against a C relay", theirs[0] / ours[0], "x", must, aim,
            note=f"{ours[0]:.2f} to {ours[-1]:.2f} and {theirs[0]:.2f} to {theirs[-1]:.2f} us a datagram; "
            f"lost {lost[0]:,} and {lost[1]:,}; readers with UDP_GRO",
        )  # fmt: skip
