"""Discriminator and envelope against closed forms."""

import numpy as np

from sptools.dsp.agc import Leveller
from sptools.dsp.detect import Discriminator, Envelope

TURN = 2.0**32


def planar(z, columns=8):
    z = z.reshape(-1, columns)
    return np.stack([z.real, z.imag], axis=1).astype(np.float32)


def test_frequency_is_exact_over_the_whole_range():
    freq = np.linspace(-0.499, 0.499, 800)  # turns per sample
    z = np.exp(2j * np.pi * np.cumsum(freq))
    y = np.empty(800, np.float32)
    Discriminator((100, 2, 8), 0.0, 0, 0).run(planar(z), y)
    assert np.abs(y[1:] / TURN - freq[1:]).max() < 3e-7  # float32 phase


def test_a_turn_and_a_constant_are_taken_away():
    n = np.arange(800)
    z = 0.5 * np.exp(2j * np.pi * (0.37 + 0.01) * n) + (0.3 - 0.2j)
    y = np.empty(800, np.float32)
    Discriminator((100, 2, 8), 0.37, 0.3 - 0.2j, 0).run(planar(z), y)
    assert np.abs(y[1:] / TURN - 0.01).max() < 5e-7


def test_nothing_is_heard_before_the_filters_are_full():
    detector = Discriminator((4, 2, 8), 0.0, 0, 40)
    r = np.random.default_rng(1)
    y = np.empty(32, np.float32)
    for expected in (32, 8, 0):
        detector.run(planar(r.normal(size=32) + 1j * r.normal(size=32)), y)
        assert np.count_nonzero(y == 0) == expected


def test_envelope_is_the_modulation_however_strong_the_carrier():
    n = np.arange(48_000)
    for strength in (0.9, 0.003):
        z = strength * (1 + 0.5 * np.sin(2 * np.pi * n / 48)) * np.exp(0.7j * n)
        y = np.empty(48_000, np.float32)
        Envelope((6000, 2, 8), 0, 0, Leveller(240, 48e3)).run(planar(z), y)
        assert np.abs(y - 0.5 * np.sin(2 * np.pi * n / 48)).max() < 1e-3


def test_leveller_follows_a_fading_carrier_and_jumps_to_a_new_one():
    leveller = Leveller(240, 48e3, decay=0.05)
    fading = np.exp(-np.arange(48_000) / 48e3).astype(np.float32)
    leveller.run(fading)
    assert np.abs(fading[12_000:]).max() < 0.08
    risen = np.full(2400, 0.9, np.float32)
    leveller.run(risen)
    assert np.abs(risen).max() < 1e-6
    silent = np.zeros(240, np.float32)
    Leveller(240, 48e3).run(silent)
    assert np.all(silent == -1)
