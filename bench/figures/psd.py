"""Averaged spectra against rtl_power."""

import re
from collections.abc import Iterator

import fake
import signals
from figure import Bench, Figure
from measure import cost, own, peer

RATE, BINS = 2.4e6, 1024


def figures(bench: Bench) -> Iterator[Figure]:
    path = signals.save(bench.folder / "psd.cu8", signals.fm(RATE, 10, [(1e5, 0.5, 1e3)]))
    times = max(1, round(24 * bench.scale))
    ours = [own("sp-psd"), *times * [f"cu8:{path},rate=2.4M,freq=100M"], "--bins", str(BINS), "-o", "/dev/null"]
    log = bench.folder / "log"
    fake.build(bench.folder)
    env = fake.environment(bench.folder, file=path, pace=0, loop=0, log=log)
    seconds = 2 if bench.scale < 1 else 4
    theirs = [
        peer("rtl_power", "rtl-sdr"),
        "-f",
        f"98.8M:101.2M:{RATE / BINS:.0f}",
        "-i",
        str(seconds),
        "-1",
        "/dev/null",
    ]
    own_rate, peer_rate = 0.0, 0.0  # MS per CPU second; rtl_power runs for a time, not over a length
    for _ in range(bench.rounds):
        own_rate = max(own_rate, 10 * times * RATE / 1e6 / cost(ours).cpu_s)
        log.unlink(missing_ok=True)
        used = cost(theirs, env).cpu_s
        taken = int(re.findall(r"close sent=(\d+)", log.read_text())[-1])
        peer_rate = max(peer_rate, taken / 1e6 / used)
    yield Figure(
        "psd 1024 bins against rtl_power", own_rate / peer_rate, "x", 4, 8,
        note=f"{own_rate:.0f} and {peer_rate:.0f} MS/s per CPU s",
    )  # fmt: skip
    path.unlink()
