"""A narrower band out of a wider one: pass band, aliases, phase, formats."""

import numpy as np
import pytest
from signals import clock, encode, run

from sptools.dsp.demods.raw import raw
from sptools.errors import RateTooLow, Usage

PAIRS = [(2.4e6, 48e3), (2.4e6, 250e3), (1e6, 48e3), (2.4e6, 2e6), (3.2e6, 44.1e3), (2.4e6, 2.4e6), (1.024e6, 240e3)]


def middle(y):
    return y[len(y) // 3 : -len(y) // 3]


@pytest.mark.parametrize("rate, out", PAIRS)
def test_phase_is_that_of_shift_then_filter(rate, out):
    offset, inside = -0.2 * rate, 0.13 * out
    t = clock(0.04, rate)
    kernel = raw(rate, "cf32_le", offset, output_rate=out)
    y = run(kernel, encode(0.5 * np.exp(2j * np.pi * (offset + inside) * t), "cf32_le")).view(np.complex64)
    m = np.arange(len(y))
    want = 0.5 * np.exp(2j * np.pi * inside * (m / kernel.output.rate - kernel.delay / rate))
    assert np.abs(middle(y - want)).max() < 1.5e-3


@pytest.mark.parametrize("rate, out", PAIRS)
def test_flat_inside_and_nothing_folds_back(rate, out):
    kernel = raw(rate, "cf32_le", 0.1 * rate, output_rate=out)
    t = clock(max(0.01, 600 / out), rate)

    def power(freq):
        """dB, at the place where a tone beside the wanted frequency would come out; NaN where it would not fold inside."""
        kernel.reset()
        y = middle(run(kernel, encode(0.5 * np.exp(2j * np.pi * (0.1 * rate + freq) * t), "cf32_le")).view(np.complex64))
        return 20 * np.log10(np.sqrt(np.mean(np.abs(y) ** 2)) / 0.5 + 1e-9)

    assert all(abs(power(f)) < 0.1 for f in np.array([-0.4, -0.2, 0.0, 0.31, 0.4]) * out)
    beyond = [
        f
        for k in (1, 2, 5)
        for f in (k * out - 0.4 * out, -k * out + 0.39 * out, k * out + 0.2 * out)
        if abs(f) < 0.85 * rate / 2
    ]
    assert all(power(f) < -60 for f in beyond if abs(0.1 * rate + f) < rate / 2)


def test_sixteen_bits():
    t = clock(0.05, 1e6)
    x = encode(0.5 * np.exp(2j * np.pi * 5e3 * t), "cu8")
    a, b = raw(1e6, "cu8", output_rate=50e3), raw(1e6, "cu8", output_rate=50e3, output_type="ci16_le")
    assert (a.output.datatype, b.output.datatype) == ("cf32_le", "ci16_le")
    assert np.abs(run(a, x) * 32768 - run(b, x)).max() <= 0.51


def test_the_middle_of_cu8_is_no_signal():
    r = np.random.default_rng(3)
    x = r.integers(127, 129, 200_000).astype(np.uint8)  # 127 and 128 by turns of chance: mean 127.5
    for offset in (0.0, 100e3, 10e3):
        y = run(raw(1e6, "cu8", offset, output_rate=50e3), x).view(np.complex64)
        assert abs(np.mean(y)) < 3e-4
        assert np.abs(y).max() < 8e-3  # from the first sample on


def test_a_retune_keeps_the_phase_going():
    t = clock(0.3, 1e6)
    kernel = raw(1e6, "cf32_le", 100e3, output_rate=50e3)
    x = encode(0.5 * np.exp(2j * np.pi * 101e3 * t), "cf32_le")
    half = len(x) // 4 * 2
    first = kernel.process(x[:half]).copy()
    kernel.set(offset=101e3)
    y = np.concatenate([first, kernel.process(x[half:]), kernel.flush()]).view(np.complex64)
    turn = np.angle(y[1:] * y[:-1].conj()) / (2 * np.pi) * 50e3
    assert turn[2000:5000] == pytest.approx(1e3, abs=3)
    assert turn[10_000:14_000] == pytest.approx(0, abs=3)
    with pytest.raises(Usage, match="output_rate cannot change"):
        kernel.set(output_rate=48e3)


def test_more_than_there_is():
    with pytest.raises(RateTooLow, match="raw"):
        raw(240e3, "cu8", output_rate=480e3)
