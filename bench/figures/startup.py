"""How long until a command says or gives something: wall time, the least of many runs."""

import os
import subprocess
import time
from collections.abc import Iterator

import signals
from figure import Bench, Figure
from measure import Command, own, pin

TOOLS = ("sp-capture", "sp-demod", "sp-psd", "sp-cat")
FIRST = 4096  # bytes: more than a container's header, less than the first block


def to_end(command: Command) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, preexec_fn=pin)
    return time.perf_counter() - begin


def to_first_block(command: Command) -> float:
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=pin) as child:
        assert child.stdout
        got = 0
        while got < FIRST:
            data = os.read(child.stdout.fileno(), 1 << 20)
            if not data:
                raise RuntimeError(f"{command} ended before its first block")
            got += len(data)
        passed = time.perf_counter() - begin
        child.kill()
    return passed


def figures(bench: Bench) -> Iterator[Figure]:
    rounds = 4 * bench.rounds
    helps = {tool: min(to_end([own(tool), "--help"]) for _ in range(rounds)) for tool in TOOLS}
    helps["sp-demod wbfm"] = min(to_end([own("sp-demod"), "wbfm", "--help"]) for _ in range(rounds))
    slowest = max(helps, key=lambda tool: helps[tool])
    each = ", ".join(f"{tool} {seconds * 1e3:.0f}" for tool, seconds in helps.items())
    yield Figure(f"{slowest} --help (the slowest)", helps[slowest] * 1e3, "ms", 80, 50, True, each)
    path = signals.save(bench.folder / "start.cu8", signals.fm(2.4e6, 1, [(-3e5, 0.75, 1e3)]))
    runs = {
        "sp-capture sim:fm": [own("sp-capture"), "sim:fm,pace=0"],
        "sp-demod wbfm": [own("sp-demod"), "wbfm", f"cu8:{path},rate=2.4M,freq=100M", "-f", "99.7M"],
    }
    for name, command in runs.items():
        first = min(to_first_block(command) for _ in range(rounds))
        yield Figure(f"{name}: first block", first * 1e3, "ms", 300, 200, True)
