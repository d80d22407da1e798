"""Mode S: real traffic, repeated, against dump1090."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import signals
from figure import Bench, Figure
from measure import Missing, cost, least, own, peer

RECORDING = Path(__file__).resolve().parents[2] / "tests/data/adsb-2M-a.cu8"
RATE = 2e6
AT_LEAST = 159  # messages that dump1090 finds in the recording


def figures(bench: Bench) -> Iterator[Figure]:
    once = np.fromfile(RECORDING, np.uint8)
    times = round(340 * bench.scale)
    seconds = times * len(once) / 2 / RATE
    path = signals.repeat(bench.folder / "adsb.cu8", once, times)
    # dump1090 leaves with or without its last buffer, by chance: silence past the end makes its count stable
    with path.open("ab") as file:
        file.write(b"\x7f" * (1 << 20))
    ours = [own("sp-demod"), "adsb", f"cu8:{path},rate=2M,freq=1090M", "-j", "-o", str(bench.folder / "own.jsonl")]
    runs = [lambda: cost(ours)]
    try:
        theirs = [peer("dump1090-mutability", "dump1090-mutability"), "--ifile", str(path), "--raw"]
        runs.append(lambda: cost(theirs))
    except Missing:
        theirs = []
    mine, *others = least(bench.rounds, *runs)
    found = sum(1 for _ in (bench.folder / "own.jsonl").open()) / times
    note = f"{found:.1f} messages a pass of {len(once) / 2 / RATE * 1e3:.0f} ms (at least {AT_LEAST})"
    if found < AT_LEAST:
        note = f"TOO FEW: {note}"
    if others:
        lines = subprocess.run(theirs, capture_output=True, check=True).stdout.count(b";")
        note += f"; dump1090 {seconds / others[0]:.0f} x RT, {lines / times:.1f} messages"
    yield Figure("adsb, dense traffic, 2 MS/s", seconds / mine, "x RT", 35, 90, note=note)
    path.unlink()
