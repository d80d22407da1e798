"""How fast each demodulator's loop is on one core, without start-up: `python bench/dsp_demods.py [SECONDS]`."""

import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from sptools import registry

CASES = [
    ("wbfm", 2.4e6, {}), ("wbfm", 1.2e6, {}), ("wbfm", 1.024e6, {}), ("wbfm", 2.4e6, {"latency": 0.01}),
    ("wbfm", 2.4e6, {"audio": 44.1e3}), ("nbfm", 2.4e6, {}), ("nbfm", 2.4e6, {"squelch": 20.0}), ("am", 2.4e6, {}),
    ("raw", 2.4e6, {"output_rate": 48e3}),
]  # fmt: skip


def fastest(kernel, x: np.ndarray, rounds: int = 5) -> float:
    """CPU seconds for all of x in blocks of 256 KiB."""
    best = float("inf")
    for _ in range(rounds):
        kernel.reset()
        start = time.process_time()
        for at in range(0, len(x), 1 << 18):
            kernel.process(x[at : at + (1 << 18)])
        best = min(best, time.process_time() - start)
    return best


def main(seconds: float) -> None:
    for name, rate, settings in CASES:
        x = np.random.default_rng(1).integers(0, 256, int(2 * rate * seconds), np.uint8)
        took = fastest(getattr(registry.load("demods", name), name)(rate, "cu8", 0.1 * rate, **settings), x)
        what = " ".join(f"{k}={v:g}" for k, v in settings.items())
        speed = f"{seconds * rate / took / 1e6:5.0f} MS/s  {seconds / took:5.0f} x real time"
        print(f"{name:5} {rate / 1e6:5.3f} MS/s  {what:18} {speed}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
