"""Shifted taps and the rotator against shift-then-filter."""

import numpy as np

from sptools.dsp.fir import kaiser_lowpass
from sptools.dsp.mix import Rotator, shifted


def test_shifted_taps_and_rotation_equal_shift_then_filter():
    r = np.random.default_rng(2)
    x = r.normal(size=4000) + 1j * r.normal(size=4000)
    taps, turn, down = kaiser_lowpass(1.0, 0.05, 0.1), 0.2371, 5
    n = np.arange(len(x))
    want = np.convolve(x * np.exp(-2j * np.pi * turn * n), taps)[down - 1 : len(x) : down]
    y = np.convolve(x, shifted(taps, turn))[down - 1 : len(x) : down].astype(np.complex64)
    rotator = Rotator(len(y) // 4, turn * down, turn * (down - 1))
    for part in y.reshape(4, -1):
        rotator.run(part)
    assert np.abs(y - want).max() < 1e-5


def test_the_phase_does_not_drift():
    rotator = Rotator(1000, 0.1234567, 0.0)
    for _ in range(5000):
        z = rotator.run(np.ones(1000, np.complex64))
    n = 5000 * 1000 - 1
    assert abs(z[-1] - np.exp(-2j * np.pi * (0.1234567 * n % 1))) < 1e-4


def test_another_speed_goes_on_from_the_phase_reached():
    rotator = Rotator(8, 0.01, 0.0)
    first = rotator.run(np.ones(8, np.complex64))
    rotator.set(0.02)
    second = rotator.run(np.ones(8, np.complex64))
    assert abs(np.angle(second[0] / first[-1]) / (2 * np.pi) + 0.01) < 1e-6
