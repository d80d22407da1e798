"""sim:nbfm, sim:am and sim:telemetry by plain offline receivers."""

import os

import numpy as np
import pytest
from scipy import signal
from sim_oracle import collect, level_at, sinad

from sptools.drivers.sim import sim
from sptools.errors import BadData, NoInput, Usage

SPEECH = os.path.join(os.path.dirname(__file__), "..", "data", "mock_audio.wav")


def channel(z, offset, width=8e3, rate=1e6, down=20):
    """The band around `offset`, at rate / down."""
    taps = signal.firwin(801, width, window=("kaiser", 8.0), fs=rate)
    return signal.upfirdn(taps, z * np.exp(-2j * np.pi * offset / rate * np.arange(len(z))), down=down)[100:-100]


def hertz(z, rate=50e3):
    return np.angle(z[1:] * z[:-1].conj()) * rate / (2 * np.pi)


def test_nbfm_stands_350_kHz_above_with_its_deviation():
    z, receiver = collect("nbfm", 0.5, tone=1000.0, ctcss=88.5)
    assert receiver.freq == 145e6
    heard = hertz(channel(z, 350e3))
    assert level_at(heard, 50e3, 1000) == pytest.approx(2500, rel=0.01)
    assert level_at(heard, 50e3, 88.5) == pytest.approx(500, rel=0.03)
    wide = hertz(channel(collect("nbfm", 0.3, tone=1000.0, deviation=4000.0, spacing=-200e3)[0], -200e3, 12e3))
    assert level_at(wide, 50e3, 1000) == pytest.approx(4000, rel=0.01)


def test_nbfm_pauses_without_a_carrier():
    z, _ = collect("nbfm", 0.5, on=0.1, off=0.05, tone=1000.0)
    power = np.abs(channel(z, 350e3)) ** 2
    at = (np.arange(len(power)) + 100 - 20) / 50e3 % 0.15
    on, off = power[(at > 0.005) & (at < 0.095)].mean(), power[(at > 0.105) & (at < 0.145)].mean()
    # 40 dB in 12.5 kHz, here 16 kHz
    assert 10 * np.log10(on / off) == pytest.approx(40 - 10 * np.log10(16 / 12.5), abs=1)


def test_nbfm_voice_lies_in_the_voice_band_and_ends_with_its_deviation():
    heard = hertz(channel(collect("nbfm", 2.0, cnr=60.0)[0], 350e3))
    freq, power = signal.welch(heard, 50e3, nperseg=8192)
    inside = power[(freq > 250) & (freq < 3100)].sum()
    assert inside / power[freq < 6000].sum() > 0.98
    assert 1500 < np.abs(heard).max() < 2700


def test_nbfm_takes_audio_and_silence():
    heard = hertz(channel(collect("nbfm", 1.0, cnr=60.0, audio=SPEECH)[0], 350e3))
    silent = hertz(channel(collect("nbfm", 1.0, cnr=60.0, tone=0.0)[0], 350e3))
    assert np.std(heard) > 5 * np.std(silent)


@pytest.mark.parametrize("depth", [0.8, 0.3])
def test_am_has_its_depth_and_quality(depth):
    z, _ = collect("am", 1.0, depth=depth, cnr=60.0)
    envelope = np.abs(channel(z, 0, 8e3))
    carrier = envelope.mean()
    assert level_at(envelope, 50e3, 1000) / carrier == pytest.approx(depth, rel=0.01)
    assert sinad(envelope - carrier, 50e3, 1000, 30, 4500) > 45


def test_am_takes_audio():
    envelope = np.abs(channel(collect("am", 1.0, audio=SPEECH, cnr=60.0)[0], 0, 8e3))
    assert 0.05 < np.std(envelope) / np.mean(envelope) < 0.6


def test_bad_audio_is_named(tmp_path):
    with pytest.raises(NoInput, match="no such file"):
        sim("am", audio=str(tmp_path / "none.wav"))
    (tmp_path / "text.wav").write_text("this is no sound")
    with pytest.raises(BadData, match="not a PCM WAV"):
        sim("nbfm", audio=str(tmp_path / "text.wav"))


def test_telemetry_rows_follow_their_schema_and_rate():
    receiver = sim("telemetry", pace=0, start=10**18, rate=20.0)
    rows = receiver.read().data + receiver.read().data
    assert [f["name"] for f in receiver.schema["fields"]] == list(rows[0])
    assert [r["counter"] for r in rows] == list(range(2000))
    assert rows[20]["time"] == 10**18 + 10**9
    assert {r["status"] for r in rows} >= {"ok"}
    assert rows == sim("telemetry", pace=0, start=10**18, rate=20.0).read().data + rows[1000:]
    with pytest.raises(Usage):
        receiver.set(freq=1e6)


def test_paced_telemetry_comes_row_by_row():
    receiver = sim("telemetry", rate=50.0)
    rows = [row for _ in range(5) for row in receiver.read().data]
    assert [r["counter"] for r in rows] == [0, 1, 2, 3, 4]
    assert rows[1]["time"] - rows[0]["time"] == 20_000_000
