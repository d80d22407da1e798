"""Filters against scipy.signal and against the sum that their docstring states."""

import numpy as np
import pytest
import scipy.signal

from sptools.dsp.fir import Banded, gain, kaiser_length, kaiser_lowpass, minimax_lowpass


def direct(x, taps, down, up):
    """y[m] = Σ h[m·down + down − 1 − i·up] · x[i], by inserting zeros and throwing away."""
    stuffed = np.zeros(len(x) * up, np.result_type(x, taps))
    stuffed[::up] = x
    return np.convolve(stuffed, taps)[down - 1 : len(stuffed) : down]


def test_kaiser_equals_scipy():
    ours = kaiser_lowpass(240e3, 15e3, 19e3, 60)
    theirs = scipy.signal.firwin(len(ours), 17e3, window=("kaiser", 0.1102 * (60 - 8.7)), fs=240e3)
    assert np.abs(ours - theirs).max() < 1e-15
    assert len(ours) == kaiser_length(240e3, 4e3, 60) == 219


@pytest.mark.parametrize("passband, stop", [(15e3, 19e3), (6e3, 16e3)])
def test_kaiser_keeps_its_promise(passband, stop):
    taps = kaiser_lowpass(240e3, passband, stop, 60)
    assert 20 * np.log10(gain(taps, np.linspace(stop, 120e3, 2000) / 240e3).max()) < -58  # the length is an estimate
    assert np.abs(gain(taps, np.linspace(0, passband, 500) / 240e3) - 1).max() < 1.2e-3


def test_minimax_is_as_good_as_remez_and_beats_kaiser():
    taps = minimax_lowpass(43, 100 / 480, [(140 / 480, 0.5)])
    ripple = gain(taps, np.linspace(140, 240, 2000) / 480).max()
    remez = scipy.signal.remez(43, [0, 100, 140, 240], [1, 0], fs=480)
    assert ripple < 1.12 * gain(remez, np.linspace(140, 240, 2000) / 480).max()
    assert kaiser_length(480, 40, -20 * np.log10(ripple)) > 43


@pytest.mark.parametrize(
    "down, up, taps, rows",
    [
        (5, 1, 31, 8),
        (2, 1, 43, 8),
        (1, 1, 9, 4),
        (10, 1, 5, 4),
        (16, 3, 100, 4),
        (1, 2, 33, 8),
        (125, 24, 301, 1),
        (1, 1, 1, 8),
    ],
)
@pytest.mark.parametrize("kind", ["real", "interleaved", "planar"])
def test_banded_equals_the_sum(down, up, taps, rows, kind, monkeypatch):
    monkeypatch.setattr("sptools.dsp.fir.SMALL", 3 * rows * down * rows * up * 4)  # several products, and a shorter last one
    r = np.random.default_rng(taps)
    chunk = rows * down * 7
    h, x = r.normal(size=taps), r.normal(size=3 * chunk)
    if kind != "real":
        h, x = h + 1j * r.normal(size=taps), x + 1j * r.normal(size=3 * chunk)
    filter = Banded(h, chunk, down, up, rows, 1 if kind == "real" else 2, kind == "planar")
    parts = []
    for piece in x.reshape(3, chunk):
        filter.input[:] = piece if kind == "real" else piece.astype(np.complex64).view(np.float32)
        y = filter.run().copy()
        parts.append(
            {
                "real": lambda y: y,
                "interleaved": lambda y: y.view(np.complex64),
                "planar": lambda y: y[:, 0] + 1j * y[:, 1],
            }[kind](y)
        )
    y = np.concatenate(parts).ravel()
    want = direct(x, h, down, up)
    assert len(y) == len(want)
    assert np.abs(y - want).max() < 2e-6 * np.abs(h).sum() * 4


def test_a_constant_before_the_start_leaves_no_step():
    filter = Banded(kaiser_lowpass(100, 5, 15), 160, 2, rows=8)
    filter.fill(127.5)
    filter.input[:] = 127.5
    assert np.abs(filter.run() - 127.5).max() < 1e-4
