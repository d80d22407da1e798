"""The live pipeline, a recording replayed at its pace: latency from antenna to ear, CPU and memory."""

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import fastavro
import signals
from figure import Bench, Figure
from measure import own, pin

RATE = 2.4e6
SETTLE_s = 1.0  # start-up is another figure


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far and peak RSS in MiB of a running process."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return ticks / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) / 1024


def pipeline(path: Path, out: int) -> list[subprocess.Popen[bytes]]:
    """sp-capture | sp-demod wbfm, both on one core; audio goes to `out`."""
    capture = [own("sp-capture"), f"cu8:{path},rate=2.4M,freq=100M"]
    source = subprocess.Popen(capture, stdout=subprocess.PIPE, preexec_fn=pin)
    demod = [own("sp-demod"), "wbfm", "-f", "99.7M"]
    sink = subprocess.Popen(demod, stdin=source.stdout, stdout=out, preexec_fn=pin)
    assert source.stdout
    source.stdout.close()
    return [source, sink]


def latency(path: Path, seconds: float) -> Iterator[Figure]:
    """An audio sample's way: from the moment that its block's `time` gives it to the moment that it can be read.

    `time` is the wall clock of the sample at the antenna, good to how late the first block came (below 20 ms).
    """
    source, sink = pipeline(path, subprocess.PIPE)
    assert sink.stdout
    late = []
    begin = None
    for block in fastavro.reader(sink.stdout):
        now = time.time_ns()
        begin = begin or now
        if now - begin < SETTLE_s * 1e9:
            continue
        middle = block["time"] + len(block["data"]) // 4 / block["rate"] * 1e9  # 16-bit mono: half of len / 2 samples
        late.append((now - middle) / 1e6)
        if now - begin > (SETTLE_s + seconds) * 1e9:
            break
    for process in (source, sink):
        process.terminate()
    sink.stdout.close()
    for process in (source, sink):
        process.wait()
    yield Figure(
        "antenna to ear, sp-capture | sp-demod wbfm: median", statistics.median(late), "ms", 150, 60, True,
        f"{min(late):.0f} to {max(late):.0f}, {len(late)} blocks",
    )  # fmt: skip


def load(path: Path, seconds: float) -> Iterator[Figure]:
    with open(os.devnull, "wb") as null:
        processes = pipeline(path, null.fileno())
        time.sleep(2 * SETTLE_s)
        before = [used(process.pid)[0] for process in processes]
        begin = time.perf_counter()
        time.sleep(seconds)
        after = [used(process.pid) for process in processes]
        passed = time.perf_counter() - begin
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
    shares = [(cpu - start) / passed * 100 for (cpu, _), start in zip(after, before, strict=True)]
    memory = [rss for _, rss in after]
    parts = "sp-capture {:.3g}, sp-demod {:.3g}"
    yield Figure("live pipeline 2.4 MS/s: CPU of one core", sum(shares), "%", 12, 4, True, parts.format(*shares))
    yield Figure("live pipeline 2.4 MS/s: RSS of both", sum(memory), "MiB", 200, 110, True, parts.format(*memory))


def figures(bench: Bench) -> Iterator[Figure]:
    seconds = max(3.0, 15 * bench.scale)
    times = 1 + round((seconds + 2 * SETTLE_s + 3) / 5)
    path = signals.save(bench.folder / "live.cu8", signals.fm(RATE, 5, [(-3e5, 0.75, 1e3)]), times)
    yield from latency(path, seconds)
    yield from load(path, seconds)
    path.unlink()
