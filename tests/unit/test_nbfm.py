"""Narrow-band FM voice: sound, voice band, channel, timing."""

import numpy as np
import pytest
from signals import clock, encode, noise, run, sinad, sine_phase

from sptools.dsp.demods.nbfm import nbfm
from sptools.errors import RateTooLow


def station(seconds, rate, offset, tone=1e3, deviation=3e3, amplitude=0.5):
    t = clock(seconds, rate)
    return amplitude * np.exp(2j * np.pi * (deviation * sine_phase(t, 1, tone) + offset * t))


def level(y, tone, rate=48e3, skip=0.1):
    y = y[int(skip * rate) :] / 32767
    n = np.arange(len(y))
    return 2 * abs(np.mean(y * np.hanning(len(y)) * 2 * np.exp(-2j * np.pi * tone * n / rate)))


@pytest.mark.parametrize(
    "rate, offset, datatype",
    [(2.4e6, 350e3, "cu8"), (1e6, 350e3, "cu8"), (3.2e6, -1.5e6, "ci16_le"), (250e3, 0, "cu8"), (48e3, 5e3, "cf32_le")],
)
def test_tone_at_30_dB_in_200_kHz(rate, offset, datatype):
    z = station(1.05, rate, offset + 200)
    x = encode(z + noise(len(z), rate, 30, 0.5, 200e3, 5), datatype)
    y = run(nbfm(rate, datatype, offset), x)
    assert len(y) == 50_400
    assert sinad(y[12_000:], 48e3, 1e3) > 46.5
    assert level(y, 1e3) == pytest.approx(0.6, rel=0.02)


def test_full_deviation_reaches_48_dB():
    z = station(1.05, 1e6, 350e3, deviation=5e3)
    y = run(nbfm(1e6, "cu8", 350e3), encode(z + noise(len(z), 1e6, 30, 0.5, 200e3, 5), "cu8"))
    assert sinad(y[12_000:], 48e3, 1e3) > 50


def test_only_the_voice_band_is_heard():
    kernel = nbfm(250e3, "cf32_le")
    heard = {}
    for tone in (100, 180, 300, 1000, 3400, 4200, 6000):
        kernel.reset()
        heard[tone] = 20 * np.log10(level(run(kernel, encode(station(0.6, 250e3, 0, tone, 2.5e3), "cf32_le")), tone) / 0.5 + 1e-9)
    assert abs(heard[1000]) < 0.1
    assert abs(heard[300]) < 0.1
    assert -0.7 < heard[3400] < 0.1  # the phase difference's own droop
    assert max(heard[100], heard[180], heard[4200], heard[6000]) < -40


def test_deviation_sets_full_scale_and_bandwidth_keeps_the_next_channel_out():
    assert level(
        run(
            nbfm(250e3, "cf32_le", deviation=2.5e3, bandwidth=11e3),
            encode(station(0.5, 250e3, 0, 1e3, 1.25e3), "cf32_le"),
        ),
        1e3,
    ) == pytest.approx(0.5, rel=0.02)
    z = station(0.8, 250e3, 0, 1e3, 1.5e3, 0.02) + station(0.8, 250e3, 12.5e3, 1700, 1.5e3, 0.5)
    assert sinad(run(nbfm(250e3, "cf32_le", bandwidth=11e3), encode(z, "cf32_le"))[9600:], 48e3, 1e3) > 30


@pytest.mark.parametrize("rate, audio", [(1e6, 48e3), (2.4e6, 8e3), (250e3, 48e3)])
def test_a_chirp_of_sound_comes_out_at_its_time(rate, audio):
    """A Gaussian tone burst is centred where it was sent: the channel's and the voice filter's delays are accounted for."""
    t = clock(0.3, rate)
    centre = 0.1503
    burst = np.exp(-0.5 * ((t - centre) / 0.01) ** 2) * np.sin(2 * np.pi * 1200 * (t - centre))
    z = 0.5 * np.exp(2j * np.pi * 3e3 * np.cumsum(burst) / rate)
    kernel = nbfm(rate, "cf32_le", audio=audio)
    y = run(kernel, encode(z, "cf32_le")).astype(float)
    time = np.arange(len(y)) / audio - kernel.delay / rate
    assert np.sum(time * y**2) / np.sum(y**2) == pytest.approx(centre, abs=20e-6)
    fine = np.linspace(centre - 2e-4, centre + 2e-4, 81)
    ideal = [np.exp(-0.5 * ((time - c) / 0.01) ** 2) * np.sin(2 * np.pi * 1200 * (time - c)) @ y for c in fine]
    assert fine[int(np.argmax(ideal))] == pytest.approx(centre, abs=6e-6)


def test_rate_too_low():
    with pytest.raises(RateTooLow, match="nbfm"):
        nbfm(12e3, "cu8")
