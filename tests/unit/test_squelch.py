"""Silence between transmissions: exact zeros, clean edges, no noise heard, no false opening."""

import numpy as np
import pytest
from signals import clock, encode, noise, run, sine_phase

from sptools.dsp.demods.am import am
from sptools.dsp.demods.nbfm import nbfm
from sptools.dsp.demods.wbfm import wbfm

RATE = 1e6
ON = [(0.3004, 0.7003), (0.9001, 1.2)]


def keyed(seconds=1.2, cnr_dB=30, neighbour=True):
    t = clock(seconds, RATE)
    key = np.zeros(len(t))
    for a, b in ON:
        key[(t >= a) & (t < b)] = 1
    z = 0.2 * key * np.exp(2j * np.pi * (3e3 * sine_phase(t, 1, 1e3) + 350e3 * t))
    if neighbour:  # stronger, and beside the channel
        z = z + 0.6 * np.exp(2j * np.pi * (3e3 * sine_phase(t, 1, 1700) + 400e3 * t))
    return z + noise(len(t), RATE, cnr_dB, 0.2, 16e3, 11)


def heard(y, delay):
    """Spans of sound, in seconds of input time."""
    loud = np.concatenate([[0], (np.abs(y.reshape(-1, 48)).max(axis=1) > 0).astype(int), [0]])
    edges = np.flatnonzero(np.diff(loud)) * 48 / 48e3 - delay
    return edges.reshape(-1, 2)


@pytest.mark.parametrize("cnr_dB, level", [(30, 20.0), (20, 10.0)])
def test_opens_and_closes_cleanly(cnr_dB, level):
    kernel = nbfm(RATE, "cu8", 350e3, squelch=level)
    y = run(kernel, encode(keyed(cnr_dB=cnr_dB), "cu8"))
    spans = heard(y, kernel.delay / RATE)
    assert len(spans) == 2
    for (start, end), (a, b) in zip(spans, ON, strict=True):
        assert a <= start < a + 0.016  # after the start: no burst of noise
        assert b - 0.016 < end <= b + 0.001  # and closed before the end: no tail of noise
    # louder than the tone anywhere would be noise, a jump between neighbours more than the tone's own a click
    assert np.abs(y).max() < 1.25 * 0.6 * 32767
    assert np.abs(np.diff(y.astype(int))).max() < 1.6 * 0.6 * 32767 * 2 * np.pi * 1e3 / 48e3


def test_closed_on_noise_and_on_a_neighbour():
    x = encode(keyed(), "cu8")
    for offset in (-200e3, 300e3, 425e3):
        assert not run(nbfm(RATE, "cu8", offset, squelch=8.0), x).any()
    assert not run(nbfm(RATE, "cu8", 350e3, squelch=35.0), x).any()


def test_digital_silence_stays_silent():
    for make in (nbfm, am, wbfm):
        assert not run(make(RATE, "cf32_le", squelch=10.0), np.zeros(400_000, np.float32)).any()


def test_live():
    x = encode(keyed(), "cu8")
    kernel = nbfm(RATE, "cu8", 350e3, latency=0.01)
    open_ = kernel.process(x[:400_000])
    kernel.set(squelch=20.0)
    closed = kernel.process(x[400_000:560_000])
    assert np.count_nonzero(open_[1200:]) > 0.98 * len(open_[1200:])  # once the filters are full
    assert not closed[-2400:].any()
    kernel.set(squelch=None)
    assert np.count_nonzero(kernel.process(x[560_000:800_000])) > 1000


def test_wbfm_and_am_have_it_too():
    t = clock(0.6, RATE)
    quiet = noise(len(t), RATE, 30, 0.3, 200e3, 4)
    station = quiet + 0.3 * np.exp(2j * np.pi * (75e3 * sine_phase(t, 0.8, 1e3) + 100e3 * t))
    for z, sound in ((station, True), (quiet, False)):
        y = run(wbfm(RATE, "cu8", 100e3, squelch=12.0), encode(z, "cu8"))
        assert y[4800:-960].any() == sound
    carrier = quiet + 0.3 * (1 + 0.8 * np.sin(2 * np.pi * 1e3 * t)) * np.exp(2j * np.pi * 100e3 * t)
    for z, sound in ((carrier, True), (quiet, False)):
        assert run(am(RATE, "cu8", 100e3, squelch=20.0), encode(z, "cu8")).any() == sound
