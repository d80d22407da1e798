"""Amplitude modulation."""

import numpy as np
import pytest
from signals import clock, encode, noise, run, sinad

from sptools.dsp.demods.am import am
from sptools.errors import RateTooLow


def station(seconds, rate, offset, depth=0.8, tone=1e3, amplitude=0.3):
    t = clock(seconds, rate)
    return amplitude * (1 + depth * np.sin(2 * np.pi * tone * t)) * np.exp(2j * np.pi * offset * t)


@pytest.mark.parametrize("rate, offset", [(2.4e6, -500e3), (1e6, 20e3), (250e3, 0.0), (24e3, 1e3)])
def test_tone(rate, offset):
    z = station(1.05, rate, offset + 30)
    y = run(am(rate, "cu8", offset), encode(z + noise(len(z), rate, 45, 0.3, 10e3, 2), "cu8"))
    assert len(y) == 50_400
    assert sinad(y[12_000:], 48e3, 1e3, 30, 5e3) > 35


def test_depth_is_level_however_strong_the_carrier_and_no_constant_is_left():
    for amplitude in (0.5, 0.01):
        y = run(am(250e3, "cf32_le"), encode(station(1.0, 250e3, 0, 0.5, amplitude=amplitude), "cf32_le"))[24_000:] / 32767
        assert np.sqrt(2 * np.mean(y**2)) == pytest.approx(0.5, rel=0.01)
        assert abs(y.mean()) < 1e-3


def test_bandwidth_is_twice_the_sound():
    for tone, heard in ((4e3, True), (8e3, False)):
        y = run(am(250e3, "cf32_le"), encode(station(0.5, 250e3, 0, 0.5, tone), "cf32_le"))[12_000:] / 32767
        assert (np.sqrt(2 * np.mean(y**2)) > 0.45) == heard
    wide = run(am(250e3, "cf32_le", bandwidth=20e3), encode(station(0.5, 250e3, 0, 0.5, 8e3), "cf32_le"))[12_000:] / 32767
    assert np.sqrt(2 * np.mean(wide**2)) > 0.45


def test_it_begins_without_a_thump():
    y = run(am(250e3, "cu8"), encode(station(0.3, 250e3, 0, 0.5), "cu8")) / 32767
    assert np.abs(y).max() < 0.6


def test_rate_too_low():
    with pytest.raises(RateTooLow, match="am"):
        am(8e3, "cu8")
