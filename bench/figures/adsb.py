"""Mode S: real, dense traffic, repeated."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import signals
from figure import Bench, Figure
from measure import cost, least, own

RECORDING = Path(__file__).resolve().parents[2] / "tests/data/adsb-2M-a.cu8"
RATE = 2e6
AT_LEAST = 159  # messages that dump1090 finds in the recording, followed by silence


def figures(bench: Bench) -> Iterator[Figure]:
    once = np.fromfile(RECORDING, np.uint8)
    times, passes = round(340 * bench.scale), 4
    length = len(once) / 2 / RATE
    path = signals.save(bench.folder / "adsb.cu8", once, times)
    out, lines = bench.folder / "adsb.avro", bench.folder / "adsb.jsonl"
    ours = [own("sp-demod"), "adsb", *passes * [f"cu8:{path},rate=2M,freq=1090M"], "-o", str(out)]
    (used,) = least(bench.rounds, lambda: cost(ours))
    cost([own("sp-cat"), str(out), "-o", str(lines)])
    with lines.open() as file:
        found = sum(1 for _ in file) / times / passes
    few = "" if found >= AT_LEAST else "TOO FEW: "
    note = f"{few}{found:.1f} messages in each {length * 1e3:.0f} ms (at least {AT_LEAST})"
    yield Figure("adsb, dense traffic, 2 MS/s", passes * times * length / used, "x RT", 35, 90, note=note)
    path.unlink()
