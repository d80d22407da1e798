"""Broadcast FM: sound, selectivity, timing, rates; offline scipy as a slow twin."""

import numpy as np
import pytest
import scipy.signal
from signals import clock, encode, fm_station, multiplex_phase, run, sinad, sine_phase

from sptools.dsp.demods.wbfm import audio_taps, wbfm
from sptools.errors import OutsideBand, RateTooLow, Usage


def heard(y, rate=48e3, skip=0.25):
    return y[int(skip * rate) :]


@pytest.mark.parametrize(
    "rate, offset, datatype, audio",
    [(2.4e6, 0.0, "cu8", 48e3), (2.4e6, -870e3, "cu8", 48e3), (1.2e6, 300e3, "ci8", 48e3), (1.024e6, 100e3, "ci16_le", 44.1e3),
     (240e3, 0.0, "cf32_le", 48e3), (3.2e6, 1.1e6, "cu8", 48e3), (900_001, 0.0, "cu8", 32e3)],
)  # fmt: skip
def test_tone(rate, offset, datatype, audio):
    x = encode(fm_station(1.05, rate, offset + 1.5e3), datatype)
    kernel = wbfm(rate, datatype, offset, audio=audio)
    y = run(kernel, x)
    assert len(y) == -(-len(x) // 2 * kernel.ratio.numerator // kernel.ratio.denominator)
    assert sinad(heard(y), kernel.output.rate, 1e3) > 70


def test_a_slow_narrow_capture_still_gives_sound():
    x = encode(fm_station(1.05, 200e3, 0.0, stereo=False), "cu8")  # the sampling itself cuts the station's edges
    assert sinad(heard(run(wbfm(200e3, "cu8"), x)), 48e3, 1e3) > 40


@pytest.mark.parametrize(
    "distance, excess, bandwidth, least", [(300e3, 20, 200e3, 65), (200e3, 10, 200e3, 60), (200e3, 20, 160e3, 50)]
)
def test_a_strong_neighbour_is_kept_out(distance, excess, bandwidth, least):
    z = fm_station(1.05, 2.4e6, 1.5e3, adjacent=distance, excess_dB=excess)
    assert sinad(heard(run(wbfm(2.4e6, "cu8", bandwidth=bandwidth), encode(z, "cu8"))), 48e3, 1e3) > least


def test_against_a_slow_twin():
    """scipy: shift, one long FIR, decimate, difference of the angle, one long FIR. Within one step of 16 bits."""
    rate, offset = 1.2e6, -210e3
    z = fm_station(0.3, rate, offset, cnr_dB=40)
    kernel = wbfm(rate, "cf32_le", offset, deemphasis="75us")
    y = run(kernel, encode(z, "cf32_le")) / 32767
    base = z * np.exp(-2j * np.pi * offset * np.arange(len(z)) / rate)
    channel = scipy.signal.firwin(301, 120e3, window=("kaiser", 6.0), fs=rate)
    low, centre = audio_taps(240e3, 48e3, 75e-6)
    narrow = scipy.signal.fftconvolve(base, channel)[::5]
    freq = np.angle(narrow[1:] * np.conj(narrow[:-1])) / (2 * np.pi) * 240e3 / 75e3
    sound = scipy.signal.fftconvolve(freq, low)
    # sound[i] stands for the input at 5·(i + 0.5 − centre) − 150; ours for 25·m − delay
    at = (25 * np.arange(len(y)) - kernel.delay + 150) / 5 - 0.5 + centre
    m = np.arange(2000, len(y) - 500)
    want = scipy.signal.resample_poly(sound, 8, 1)  # the twin's samples lie between ours
    error = y[m] - np.interp(at[m] * 8, np.arange(len(want)), want)
    assert np.abs(error).max() < 2e-3
    assert np.sqrt(np.mean(error**2)) < 5e-4


@pytest.mark.parametrize("rate, audio", [(2.4e6, 48e3), (1.024e6, 48e3), (1.2e6, 44.1e3), (2.4e6, 192e3), (240e3, 48e3)])
def test_a_step_in_frequency_comes_out_at_its_time(rate, audio):
    t = clock(0.12, rate)
    step = 0.0601
    z = 0.5 * np.exp(2j * np.pi * 30e3 * np.where(t < step, 0, t - step))
    kernel = wbfm(rate, "cf32_le", 0.0, deemphasis="off", audio=audio)
    y = run(kernel, encode(z, "cf32_le")) / 32767 / (30e3 / 75e3)
    m = np.flatnonzero((y[:-1] < 0.5) & (y[1:] >= 0.5))[0]
    crossing = (m + (0.5 - y[m]) / (y[m + 1] - y[m])) / kernel.output.rate - kernel.delay / rate
    assert abs(crossing - step) < 2e-6


def test_full_scale_is_the_deviation_and_the_deemphasis_is_what_it_says():
    rate = 1.2e6
    for name, time in (("off", 0), ("50us", 50e-6), ("75us", 75e-6)):
        for tone in (400, 5e3):
            t = clock(0.3, rate)
            z = 0.5 * np.exp(2j * np.pi * 75e3 * sine_phase(t, 0.5, tone))
            y = heard(run(wbfm(rate, "cf32_le", deemphasis=name), encode(z, "cf32_le")), skip=0.1) / 32767
            assert np.sqrt(2 * np.mean(y**2)) == pytest.approx(0.5 / np.hypot(1, 2 * np.pi * tone * time), rel=0.01)


def test_the_pilot_is_gone():
    t = clock(1.05, 1.2e6)
    y = heard(
        run(
            wbfm(1.2e6, "cf32_le", deemphasis="off"),
            encode(0.7 * np.exp(2j * np.pi * 75e3 * multiplex_phase(t, 1e3)), "cf32_le"),
        )
    )
    tone, pilot = (abs(np.mean(y * np.exp(-2j * np.pi * f * np.arange(len(y)) / 48e3))) for f in (1e3, 19e3))
    assert 20 * np.log10(pilot / tone) < -70


def test_a_retune_while_running_finds_the_other_station():
    rate = 1.2e6
    t = clock(1.0, rate)
    z = sum(0.4 * np.exp(2j * np.pi * (75e3 * sine_phase(t, 0.8, tone) + f * t)) for tone, f in ((1e3, -300e3), (2.5e3, 200e3)))
    x = encode(z, "cu8")
    kernel = wbfm(rate, "cu8", -300e3)
    half = len(x) // 2 // 2 * 2
    parts = [kernel.process(x[:half])]
    kernel.set(offset=200e3)
    y = np.concatenate([*parts, kernel.process(x[half:]), kernel.flush()])
    assert sinad(y[4800:23_000], 48e3, 1e3) > 55
    assert sinad(y[27_000:], 48e3, 2.5e3) > 55


def test_a_narrower_bandwidth_while_running_keeps_delay_and_count():
    kernel = wbfm(2.4e6, "cu8")
    z = fm_station(1.05, 2.4e6, 1.5e3, adjacent=200e3, excess_dB=20)
    kernel.set(bandwidth=140e3)
    y = run(kernel, encode(z, "cu8"))
    assert len(y) == 50_400
    wide = sinad(heard(run(wbfm(2.4e6, "cu8"), encode(z, "cu8"))), 48e3, 1e3)
    assert sinad(heard(y), 48e3, 1e3) > max(47, wide + 5)
    with pytest.raises(Usage, match="laid out for"):
        kernel.set(bandwidth=300e3)
    with pytest.raises(Usage, match="deemphasis cannot change"):
        kernel.set(deemphasis="off")


@pytest.mark.parametrize("rate, bandwidth", [(2.4e6, 300e3), (2.4e6, 80e3), (240e3, 300e3), (1.8e6, 120e3)])
def test_any_bandwidth_gives_the_right_count(rate, bandwidth):
    x = encode(fm_station(0.2, rate, 0.0), "cu8")
    y = run(wbfm(rate, "cu8", bandwidth=bandwidth), x)
    assert len(y) == 9600
    assert sinad(y[2400:], 48e3, 1e3) > 10


def test_latency_bounds_what_is_held_back():
    kernel = wbfm(2.4e6, "cu8", latency=0.01)
    got = 0
    for i in range(1, 51):
        got += len(kernel.process(np.full(2 * 48_000, 127, np.uint8)))
        assert got >= (i * 0.02 - 0.01) * 48e3 - 1


def test_errors():
    with pytest.raises(RateTooLow, match="wbfm needs"):
        wbfm(48e3, "cu8")
    with pytest.raises(OutsideBand):
        wbfm(2.4e6, "cu8", 1.3e6)
    with pytest.raises(Usage, match="cu16"):
        wbfm(2.4e6, "cu16_le")
