"""The five laws (sptools/dsp/kernel.py) for every demodulator that the registry names, and for the inner kernels."""

import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from sptools import registry
from sptools.dsp.spectrum import Welch
from sptools.errors import RateTooLow

ADSB = Path(__file__).parents[1] / "data" / "adsb-2M-a.cu8"
DATATYPES = {"cu8": np.uint8, "ci8": np.int8, "ci16_le": np.dtype("<i2"), "cf32_le": np.dtype("<f4")}
SAMPLES = 150_000

# settings under which a demodulator is tried besides its defaults
SETTINGS = {
    "wbfm": [{"audio": 44100.0}, {"deemphasis": "off", "latency": 0.01}, {"squelch": 10.0}],
    "nbfm": [{"squelch": 6.0, "audio": 8000.0}, {"bandwidth": 11e3}],
    "am": [{"squelch": 6.0}],
    "raw": [{"output_rate": 48e3}, {"output_rate": 44.1e3, "output_type": "ci16_le"}, {"output_rate": 1e6}],
}


def demodulator(name, rate, datatype, offset=0.0, **settings):
    return getattr(registry.load("demods", name), name)(rate, datatype, offset, **settings)


def signal(rate, datatype, n=SAMPLES):
    """A frequency-modulated carrier that comes and goes, in noise; for cu8 at 2 MS/s a real recording of messages."""
    if datatype == "cu8" and rate == 2e6:
        return np.fromfile(ADSB, np.uint8, 2 * n)
    r = np.random.default_rng(zlib.crc32(f"{rate}{datatype}".encode()))
    t = np.arange(n) / rate
    z = 0.6 * np.exp(1j * (3 * np.sin(2 * np.pi * 1e3 * t) + 2 * np.pi * 1e3 * t)) * (np.sin(2 * np.pi * 25 * t) > -0.3)
    x = (z + 0.05 * (r.standard_normal(n) + 1j * r.standard_normal(n))).view(np.float64)
    scale = {"cu8": (127.5, 127.5), "ci8": (0, 128), "ci16_le": (0, 32768), "cf32_le": (0, 1)}[datatype]
    x = x * scale[1] + scale[0]
    if datatype == "cf32_le":
        return x.astype("<f4")
    return np.clip(np.rint(x), np.iinfo(DATATYPES[datatype]).min, np.iinfo(DATATYPES[datatype]).max).astype(DATATYPES[datatype])


def partition(x, sizes):
    """x in blocks of `sizes` samples, over and over; copies, so that nobody can look beyond."""
    at = i = 0
    while at < len(x):
        step = 2 * sizes[i % len(sizes)]
        yield x[at : at + step].copy()
        at, i = at + step, i + 1


def collect(kernel, blocks):
    parts = [np.copy(y) if isinstance(y, np.ndarray) else y for y in map(kernel.process, blocks)]
    parts.append(kernel.flush())
    return np.concatenate(parts) if isinstance(parts[-1], np.ndarray) else [item for part in parts for item in part]


def assert_same(a, b):
    """Bit for bit; lists item by item, field by field."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
        return
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        for p, q in zip(one, other, strict=True):
            assert np.array_equal(p, q, equal_nan=True) if isinstance(p, np.ndarray) else p == q


def cases():
    for name in registry.names("demods"):
        for rate, datatype in [(2.4e6, "cu8"), (2e6, "cu8"), (1.024e6, "ci8"), (2.4e6, "ci16_le"), (2.4e6, "cf32_le")]:
            yield name, rate, datatype, {}
        for settings in SETTINGS.get(name, []):
            yield name, 2.4e6, "cu8", settings


def make(case):
    name, rate, datatype, settings = case
    if name == "welch":
        return Welch(rate, datatype, **settings)
    try:
        return demodulator(name, rate, datatype, 123456.0, **settings)
    except RateTooLow as problem:  # the laws do not ask what the samples mean: the same ones, said to be faster
        return demodulator(name, problem.facts["need"], datatype, 123456.0, **settings)


WELCH = [
    ("welch", 2.4e6, "cu8", {"nfft": 1000, "interval": 40_000}),
    ("welch", 2.4e6, "ci8", {"overlap": 0.5, "interval": 9999}),
]
CASES = [*cases(), *WELCH]
each = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]:g}-{c[2]}-{'-'.join(map(str, c[3].values()))}")


@each
def test_cut(case):
    x = signal(case[1], case[2])
    kernel = make(case)
    whole = collect(kernel, [x])
    r = np.random.default_rng(7)
    for sizes in ([131072], [997], list(r.integers(1, 30_001, 50)), [1, 2, 3, 65_537]):
        kernel.reset()
        assert_same(collect(kernel, partition(x, sizes)), whole)
    short = x[:1200]
    kernel.reset()
    whole = collect(kernel, [short])
    kernel.reset()
    assert_same(collect(kernel, partition(short, [1])), whole)


@each
def test_reset(case):
    x = signal(case[1], case[2])
    fresh = collect(make(case), [x])
    kernel = make(case)
    kernel.process(x[: 2 * 77_777])  # left in the middle
    kernel.reset()
    assert_same(collect(kernel, [x]), fresh)
    kernel.reset()
    assert_same(collect(kernel, [x]), fresh)


@each
def test_ratio(case):
    x = signal(case[1], case[2])
    kernel = make(case)
    if not kernel.ratio:
        return  # messages and spectra have no rate
    items = 2 if kernel.output.record == "IQ" else kernel.output.channels
    for n in (1, 2, 49, 50, 51, 1000, 64_800, 99_999, SAMPLES):
        kernel.reset()
        assert len(collect(kernel, [x[: 2 * n]])) == items * math.ceil(n * kernel.ratio)
    assert kernel.output.rate == pytest.approx(case[1] * float(kernel.ratio), rel=1e-12)


@each
def test_empty(case):
    x = signal(case[1], case[2], 10)
    kernel = make(case)
    assert len(kernel.process(x[:0])) == 0
    assert len(kernel.flush()) == 0


@each
def test_purity(case):
    x = signal(case[1], case[2])
    before = x.tobytes()
    x.flags.writeable = False
    first = make(case)
    held = first.process(x)
    kept = held.tobytes() if isinstance(held, np.ndarray) else list(held)
    make(case).process(x)  # another kernel shares nothing with this one
    assert (held.tobytes() if isinstance(held, np.ndarray) else list(held)) == kept
    first.flush()
    assert x.tobytes() == before


@pytest.mark.parametrize("name", [n for n in registry.names("demods") if n in ("wbfm", "nbfm", "am", "raw")])
def test_a_setting_changed_at_a_sample_acts_the_same_for_any_partition(name):
    x = signal(2.4e6, "cu8")
    results = []
    for sizes in ([100_000], [997], [30_011, 3]):
        kernel = demodulator(name, 2.4e6, "cu8", 0.0)
        parts = [np.copy(kernel.process(b)) for b in partition(x[:200_000], sizes)]
        kernel.set(offset=50e3)
        results.append(
            np.concatenate(parts + [np.copy(kernel.process(b)) for b in partition(x[200_000:], sizes)] + [kernel.flush()])
        )
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()
