"""Spectra against scipy.signal.welch, Parseval and tones of known level."""

import numpy as np
import pytest

from sptools.dsp.spectrum import SCALE, Welch, hide_dc
from sptools.dsp.stitch import Strip, centres, crop, stitch
from sptools.dsp.window import COSINES, noise_bandwidth, window
from sptools.errors import BadData, Usage
from sptools.record import component

RATE = 2.4e6


def quantise(z, datatype):
    zero, full = SCALE[datatype]
    flat = z.astype(np.complex128).view(float) * full + zero
    dtype = component(datatype)
    if dtype.kind == "f":
        return flat.astype(dtype)
    info = np.iinfo(dtype)
    return np.clip(np.rint(flat), info.min, info.max).astype(dtype)


def noise(n, power=0.02, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)) * np.sqrt(power / 2)


def run(welch, x, *cuts):
    found = []
    for part in np.split(x, cuts):
        found += welch.process(part)
    return found + welch.flush()


def same(a, b):
    return len(a) == len(b) and all(
        p.sample == q.sample and p.averages == q.averages and np.array_equal(p.power, q.power)
        for p, q in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("name", COSINES)
def test_windows_are_scipys(name):
    from scipy.signal import get_window

    theirs = get_window({"rect": "boxcar"}.get(name, name), 256)
    assert np.allclose(window(name, 256), theirs, atol=1e-8)


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("name", ["hann", "blackmanharris", "rect"])
def test_equals_scipy_welch(name, overlap):
    from scipy.signal import welch

    z = noise(200_000) + 0.3 * np.exp(2j * np.pi * 0.1 * np.arange(200_000))
    x = quantise(z, "cf32_le")
    (ours,) = run(Welch(RATE, "cf32_le", 512, name, overlap=overlap), x, 77_778)
    _, theirs = welch(
        x.view(np.complex64), RATE, {"rect": "boxcar"}.get(name, name), 512, round(512 * overlap),
        detrend=False, return_onesided=False,
    )  # fmt: skip
    assert np.abs(ours.power - 10 * np.log10(np.fft.fftshift(theirs))).max() < 1e-3


@pytest.mark.parametrize("datatype", SCALE)
def test_noise_density_within_a_tenth_of_a_dB(datatype):
    (got,) = run(Welch(RATE, datatype, 1024), quantise(noise(500_000), datatype))
    density = 10 * np.log10(np.mean(10 ** (got.power / 10)))
    assert abs(density - 10 * np.log10(0.02 / RATE)) < 0.1


@pytest.mark.parametrize("name", COSINES)
@pytest.mark.parametrize("datatype", SCALE)
def test_full_scale_tone_is_0_dBFS(datatype, name):
    bin_ = 100
    z = np.exp(2j * np.pi * bin_ / 1024 * np.arange(64 * 1024))
    welch = Welch(RATE, datatype, 1024, name)
    (got,) = run(welch, quantise(z, datatype))
    assert np.argmax(got.power) == 512 + bin_
    assert abs(got.power.max() + 10 * np.log10(welch.rbw)) < 0.1
    assert abs(10 * np.log10(np.sum(10 ** (got.power.astype(float) / 10)) * RATE / 1024)) < 0.1
    assert welch.rbw == pytest.approx(noise_bandwidth(window(name, 1024)) * RATE / 1024)


@pytest.mark.parametrize("interval", [None, 1024, 5000, 150_001])
@pytest.mark.parametrize("detector", ["mean", "peak", "min"])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_cut_reset_purity(detector, overlap, interval):
    x = quantise(noise(200_000), "cu8")
    keep = x.copy()
    welch = Welch(RATE, "cu8", 1024, detector=detector, overlap=overlap, interval=interval)
    whole = run(welch, x)
    rng = np.random.default_rng(4)
    for _ in range(3):
        welch.reset()
        cuts = 2 * np.sort(rng.integers(0, 200_000, 30))
        assert same(whole, run(welch, x, *cuts))
    assert np.array_equal(x, keep)
    if interval:
        assert [got.sample for got in whole] == [interval * k for k in range(len(whole))]
        assert len(whole) == 200_000 // interval + (200_000 % interval >= 1024)


def test_empty_and_too_short():
    welch = Welch(RATE, "cu8", 1024)
    assert run(welch, np.empty(0, np.uint8)) == []
    welch.reset()
    assert run(welch, np.full(2046, 127, np.uint8)) == []


def test_interval_is_not_averaged_across():
    """A tone in the second interval only leaves no trace in the first."""
    z = np.concatenate([noise(5000, 1e-6), 0.5 * np.exp(2j * np.pi * 0.25 * np.arange(5000))])
    first, second = run(Welch(RATE, "cf32_le", 256, overlap=0.5, interval=5000), quantise(z, "cf32_le"))
    assert second.power.max() - first.power.max() > 50
    assert first.averages == second.averages == 1 + (5000 - 256) // 128


def test_detectors():
    """A burst in 1 of 10 segments: peak shows it whole, mean 10 dB less, min not at all."""
    z = np.full(10 * 256, 1e-4, complex)
    z[512:768] = np.exp(2j * np.pi * 64 / 256 * np.arange(256))
    level = {}
    for detector in ("mean", "peak", "min"):
        (got,) = run(Welch(RATE, "cf32_le", 256, detector=detector), quantise(z, "cf32_le"))
        level[detector] = float(got.power[128 + 64])
    assert level["peak"] - level["mean"] == pytest.approx(10, abs=0.01)
    assert level["min"] < level["mean"] - 60


def test_silence_is_finite_and_cu8_has_its_centre_between_127_and_128():
    x = np.tile(np.array([127, 128], np.uint8).repeat(2), 2048)  # I and Q go 127 127 128 128: no DC, all at rate/2
    (got,) = run(Welch(RATE, "cu8", 1024, "rect"), x)
    assert np.isfinite(got.power).all()
    assert got.power[512] < got.power[0] - 60
    (zero,) = run(Welch(RATE, "ci16_le", 1024), np.zeros(4096, np.int16))
    assert (zero.power == -300).all()


def test_a_large_sample_holds_its_interval():
    welch = Welch(RATE, "cu8", 8192, interval=65536 * 3 + 11)
    got = run(welch, quantise(noise(65536 * 7), "cu8"), 3000)
    assert [g.averages for g in got] == [24, 24, 7]


@pytest.mark.parametrize(
    "wrong", [{"nfft": 4}, {"window": "kaiser"}, {"detector": "max"}, {"overlap": 1.0}, {"interval": 100}]
)
def test_usage(wrong):
    with pytest.raises(Usage):
        Welch(RATE, "cu8", **wrong)
    with pytest.raises(Usage):
        Welch(RATE, "ri16_le")


def test_hide_dc():
    (got,) = run(Welch(RATE, "cf32_le", 256), quantise(noise(25600) + 0.5, "cf32_le"))
    shown = hide_dc(got.power, 1)
    assert got.power[128] > -50 and shown[126:131].max() < -70
    assert np.array_equal(shown[:126], got.power[:126]) and np.array_equal(shown[131:], got.power[131:])


def test_stitch_prefers_the_nearest_centre_and_marks_holes():
    a = Strip(100.0, 8.0, np.arange(8, dtype=np.float32))  # bins 96 … 103
    b = Strip(104.0, 8.0, np.arange(10, 18, dtype=np.float32))  # bins 100 … 107
    c = Strip(120.0, 8.0, np.full(8, 5, np.float32))  # 116 … 123
    joined = stitch([c, b, a])
    assert joined.low == 96 and joined.step == 1 and len(joined.power) == 28
    assert joined.power[:8].tolist() == [0, 1, 2, 3, 4, 5, 6, 13]  # 102 lies as near to both: the lower stays
    assert np.isnan(joined.power[12:20]).all() and joined.power[-1] == 5


@pytest.mark.parametrize("n", [8, 9, 1024])
@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5])
def test_crop_keeps_frequencies(n, fraction):
    strip = Strip(100e6, 1e6, np.arange(n, dtype=np.float32))
    cropped = crop(strip, fraction)
    freqs = strip.low + strip.step * np.arange(n)
    assert np.allclose(cropped.low + cropped.step * np.arange(len(cropped.power)), freqs[cropped.power.astype(int)])
    assert len(cropped.power) == n - 2 * round(n * fraction / 2)


def test_a_sweep_of_a_tone_stands_where_it_is():
    strips = []
    for freq in centres(100e6, 104e6, 1e6):
        x = 0.5 * np.exp(2j * np.pi * (102.25e6 - freq) / 2e6 * np.arange(65536))
        x *= abs(102.25e6 - freq) < 1e6
        (got,) = run(Welch(2e6, "cf32_le", 200), quantise(x + noise(65536, 1e-4), "cf32_le"))
        strips.append(crop(Strip(freq, 2e6, got.power), 0.5))
    joined = stitch(strips)
    assert len(joined.power) == 400 and joined.low == 100e6
    assert joined.low + joined.step * np.argmax(joined.power) == 102.25e6


def test_stitch_refuses_what_does_not_fit():
    with pytest.raises(BadData):
        stitch([Strip(0, 8.0, np.zeros(8)), Strip(8, 16.0, np.zeros(8))])
    with pytest.raises(Usage):
        stitch([Strip(0, 8.0, np.zeros(8)), Strip(1e12, 8.0, np.zeros(8))])
    with pytest.raises(Usage):
        centres(2e6, 1e6, 1e6)
