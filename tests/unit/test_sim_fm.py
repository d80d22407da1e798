"""sim:fm against theory: what a plain offline receiver hears."""

import os
import wave

import numpy as np
import pytest
from scipy import signal
from sim_oracle import audio, collect, level_at, multiplex, sinad
from sim_rds import groups

from sptools.drivers.sim import sim
from sptools.errors import RateTooLow, Usage

SPEECH = os.path.join(os.path.dirname(__file__), "..", "data", "mock_audio.wav")
RATE = 2.4e6


def demodulated(seconds: float = 1.5, **keys):
    """The multiplex at 240 kS/s without its first tenth of a second."""
    z, _ = collect("fm", seconds, **keys)
    return multiplex(z, RATE, 10)[24000:]


def test_programme_pilot_and_offset_have_their_deviations():
    mpx = demodulated(detune=1500.0)
    assert level_at(mpx, 240e3, 1000) == pytest.approx(60e3, rel=0.002)
    assert level_at(mpx, 240e3, 19e3) == pytest.approx(7500 * np.sinc(19 / 240), rel=0.01)
    assert np.mean(mpx[:240000]) == pytest.approx(1500, abs=10)


def test_mono_has_no_pilot_and_more_deviation():
    mpx = demodulated(0.6, stereo=False, rds=False)
    assert level_at(mpx, 240e3, 1000) == pytest.approx(67.5e3, rel=0.002)
    assert level_at(mpx, 240e3, 19e3) < 20


def test_noise_is_what_theory_says():
    # flat phase noise of density N0/A² gives ∫ f² N0/A² df over 15 kHz: 70.05 dB below a 60 kHz tone at 45 dB in 200 kHz
    heard = sinad(audio(demodulated(2.6), 240e3, 5)[4800:], 48e3, 1000)
    assert heard == pytest.approx(70.05, abs=0.7)


def test_without_noise_only_quantisation_is_left():
    heard = sinad(audio(demodulated(2.6, cnr=70.0), 240e3, 5)[4800:], 48e3, 1000)
    assert heard > 82


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_one_sided_tone_stays_on_its_side(side):
    mpx = demodulated(1.2, cnr=80.0, **{side: 1000.0})[:240000]
    n = np.arange(len(mpx))
    window = signal.windows.blackmanharris(len(mpx))
    pilot = np.angle(1j * np.sum(mpx * window * np.exp(-2j * np.pi * 19e3 / 240e3 * n)))
    down = 2 * np.sin(2 * (2 * np.pi * 19e3 / 240e3 * n + pilot)) * np.sinc(1 / 240) / np.sinc(38 / 240)
    at = lambda x: np.sum(x * window * np.exp(-2j * np.pi * 1e3 / 240e3 * n))
    both = {"left": abs(at(mpx + mpx * down)), "right": abs(at(mpx - mpx * down))}
    loud, quiet = both.pop(side), both.popitem()[1]
    assert 20 * np.log10(loud / quiet) > 60


def test_rds_groups_are_right():
    found = groups(demodulated(2.5, pi="D3C2", ps="RADIO 1", rt="hello"), 240e3)
    assert len(found) >= 24
    assert {a for a, *_ in found} == {0xD3C2}
    name, text = {}, {}
    for _, b, c, d in found:
        if b >> 11 == 0:
            name[b & 3] = d.to_bytes(2, "big")
        elif b >> 11 == 4:
            text[b & 15] = c.to_bytes(2, "big") + d.to_bytes(2, "big")
    assert b"".join(name[i] for i in range(4)) == b"RADIO 1 "
    assert b"".join(text[i] for i in sorted(text)).split(b"\r")[0] == b"hello"


def test_adjacent_station_is_stronger_by_its_excess():
    z, _ = collect("fm", 0.5, adjacent=300e3, adjacent_gain=20.0)
    freq, power = signal.welch(z, RATE, nperseg=4096, return_onesided=False, detrend=False)
    near = lambda centre: power[np.abs(freq - centre) < 100e3].sum()
    assert 10 * np.log10(near(300e3) / near(0)) == pytest.approx(20, abs=0.5)


def test_programme_audio_is_the_file(tmp_path):
    mpx = demodulated(2.6, audio=SPEECH, preemphasis=0.0, cnr=60.0)
    heard = audio(mpx, 240e3, 5)
    with wave.open(SPEECH) as file:
        sent = np.frombuffer(file.readframes(32000 * 4), "<i2") / 32768
    sent = signal.resample_poly(sent, 3, 2)
    sent -= sent.mean()
    part = heard[10000:90000]
    lag = np.argmax(signal.correlate(sent, part, "valid", "fft"))
    # the grids are not aligned to a sample of 48 kHz: fit the fraction too
    near = np.stack([sent[lag + k : lag + k + len(part)] for k in range(-8, 9)])
    left = part - np.linalg.lstsq(near.T, part, rcond=None)[0] @ near
    left -= left.mean()
    assert 10 * np.log10(np.var(part) / np.var(left)) > 30


def test_preemphasis_lifts_the_treble_of_a_file(tmp_path):
    n = np.arange(32000)
    both = 0.3 * (np.sin(2 * np.pi * 500 / 32000 * n) + np.sin(2 * np.pi * 8000 / 32000 * n))
    path = str(tmp_path / "two.wav")
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, 32000, 0, "NONE", ""))
        file.writeframes((both * 32767).astype("<i2").tobytes())
    for tau in (0.0, 50e-6, 75e-6):
        mpx = demodulated(0.6, audio=path, preemphasis=tau, stereo=False, rds=False, cnr=70.0)
        ratio = level_at(mpx, 240e3, 8000) / level_at(mpx, 240e3, 500)
        wanted = abs(1 + 2j * np.pi * 8000 * tau) / abs(1 + 2j * np.pi * 500 * tau)
        assert ratio == pytest.approx(wanted, rel=0.02)


def test_stereo_audio_keeps_its_sides_apart(tmp_path):
    n = np.arange(32000)
    sides = np.stack([0.9 * np.sin(2 * np.pi * 3000 / 32000 * n), np.zeros(32000)], axis=1)
    path = str(tmp_path / "left.wav")
    with wave.open(path, "wb") as file:
        file.setparams((2, 2, 32000, 0, "NONE", ""))
        file.writeframes((sides * 32767).astype("<i2").tobytes())
    mpx = demodulated(0.7, audio=path, preemphasis=0.0, cnr=70.0, rds=False)[:120000]
    middle = level_at(mpx, 240e3, 3e3) / np.sinc(3 / 240)
    assert middle == pytest.approx(0.9 * 30e3, rel=0.01)
    for line in (35e3, 41e3):
        assert level_at(mpx, 240e3, line) / np.sinc(line / 240e3) == pytest.approx(middle / 2, rel=0.01)


def test_noise_bank_leaves_no_lines():
    """A line above −90 dB of the carrier would be heard; here all of 2²² samples is noise and one bare carrier."""
    z, _ = collect("fm", 1.75, stereo=False, rds=False, tone=0.0, seed=5)
    z = z[: 1 << 22]
    spectrum = np.abs(np.fft.fft(z * signal.windows.blackmanharris(len(z)))) ** 2
    spectrum /= spectrum.max()
    spectrum[:20] = spectrum[-20:] = 0
    # the highest of 4 million exponential values stands some 12 dB above their mean
    assert 10 * np.log10(spectrum.max() / spectrum.mean()) < 14


def test_a_year_later_all_is_as_it_was():
    source = sim("fm", pace=0, audio=SPEECH, cnr=60.0).source
    first = int(RATE * 86400 * 365)
    raw = source.take(first, first + int(0.9 * RATE)).astype(float) - 127.5
    mpx = multiplex((raw[::2] + 1j * raw[1::2]) / 127.5, RATE, 10)[10000:]
    assert level_at(mpx, 240e3, 19e3) == pytest.approx(7500 * np.sinc(19 / 240), rel=0.01)
    assert len(groups(mpx, 240e3)) >= 8
    assert np.std(audio(mpx, 240e3, 5)) > 1000


def test_keys_out_of_range_are_refused():
    for keys in ({"tone": 16e3}, {"pi": "XYZ"}, {"ps": "far too long"}, {"rt": "ä"}):
        with pytest.raises(Usage):
            sim("fm", **keys)
    with pytest.raises(RateTooLow):
        sim("fm", rate=48e3)


@pytest.mark.parametrize("rate", [225.001e3, 250e3, 1.024e6, 2.048e6, 3.2e6])
def test_any_rate_of_a_dongle_carries_the_tone(rate):
    z, _ = collect("fm", 0.3, rate=rate, stereo=False, rds=False, cnr=60.0)
    hz = np.angle(z[1:] * z[:-1].conj()) * rate / (2 * np.pi)
    assert level_at(hz, rate, 1000) == pytest.approx(67.5e3, rel=0.01)
