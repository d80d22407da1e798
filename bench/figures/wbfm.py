"""Broadcast FM: cost against rtl_fm, times real time, selectivity."""

import wave
from collections.abc import Iterator
from pathlib import Path

import fake
import numpy as np
import signals
from figure import Bench, Figure
from measure import cost, least, own, peer
from sinad import sinad

RTL_FM = "-M fm -f 99.7M -s 240k -A std -r 48k -E deemp"
BELOW = 1500.0  # Hz off tune, as in the table of peers


def decode(path: Path) -> tuple[np.ndarray, float]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def against_rtl_fm(bench: Bench) -> Iterator[Figure]:
    rate, length = 1.2e6, 10
    times = max(1, round(24 * bench.scale))
    # rtl_fm tunes a quarter of its rate above what it is asked for
    path = signals.save(bench.folder / "a.cu8", signals.fm(rate, length, [(-rate / 4 + BELOW, 0.75, 1e3)]))
    library = fake.build(bench.folder)
    env = fake.environment(bench.folder, file=path, loop=times, pace=0, at_eof="signal", lockstep=3)
    env["LD_PRELOAD"] = str(library)
    theirs = [peer("rtl_fm", "rtl-sdr"), *RTL_FM.split(), str(bench.folder / "peer")]
    source = f"cu8:{path},rate=1.2M,freq=100M"
    ours = [own("sp-demod"), "wbfm", *times * [source], "-f", "99.7M", "-o", "/dev/null"]
    mine, other = least(bench.rounds, lambda: cost(ours), lambda: cost(theirs, env))
    audio = np.fromfile(bench.folder / "peer", "<i2")
    assert abs(len(audio) / (length * times * 48e3) - 1) < 0.01, "rtl_fm lost samples: no fair comparison"
    cost([own("sp-demod"), "wbfm", source, "-f", "99.7M", "-o", str(bench.folder / "own.wav")])
    quality = sinad(*decode(bench.folder / "own.wav")), sinad(audio, 48e3)
    megasamples = rate * length * times / 1e6
    yield Figure(
        "wbfm against rtl_fm -s 240k -A std, 1.2 MS/s", other / mine, "x", 1.2, 2.0,
        note=f"{megasamples / mine:.0f} and {megasamples / other:.0f} MS/s per CPU s; "
        f"SINAD {quality[0]:.1f} and {quality[1]:.1f} dB",
    )  # fmt: skip
    path.unlink()


def times_real_time(bench: Bench) -> Iterator[Figure]:
    rate, length = 2.4e6, 10
    times = max(1, round(24 * bench.scale))
    path = signals.save(bench.folder / "b.cu8", signals.fm(rate, length, [(-3e5 + BELOW, 0.75, 1e3)]))
    source = f"cu8:{path},rate=2.4M,freq=100M"
    ours = [own("sp-demod"), "wbfm", *times * [source], "-f", "99.7M", "-o", "/dev/null"]
    (mine,) = least(bench.rounds, lambda: cost(ours))
    yield Figure("wbfm mono, 2.4 MS/s", length * times / mine, "x RT", 90, 150)
    path.unlink()


def adjacent_station(bench: Bench) -> Iterator[Figure]:
    stations = [(-3e5 + BELOW, 0.05, 1e3), (BELOW, 0.5, 1700.0)]  # 300 kHz away, 20 dB stronger
    path = signals.save(bench.folder / "c.cu8", signals.fm(2.4e6, 10, stations))
    out = bench.folder / "c.wav"
    cost([own("sp-demod"), "wbfm", f"cu8:{path},rate=2.4M,freq=100M", "-f", "99.7M", "-o", str(out)])
    yield Figure("wbfm, adjacent station +300 kHz, 20 dB stronger: SINAD", sinad(*decode(out)), "dB", 60, 70)
    path.unlink()


def figures(bench: Bench) -> Iterator[Figure]:
    yield from against_rtl_fm(bench)
    yield from times_real_time(bench)
    yield from adjacent_station(bench)
