"""Test signals in closed form, and how good a tone came out. Numpy only; nothing of sptools."""

import numpy as np

PILOT_Hz, RDS_Hz = 19e3, 593.75  # RDS stands in as its strongest line pair


def sine_phase(t, amplitude, freq, start=0.0):
    """∫ amplitude · sin(2π freq t + start) dt, from 0. s"""
    w = 2 * np.pi * freq
    return amplitude / w * (np.cos(start) - np.cos(w * t + start))


def multiplex_phase(t, tone, stereo=True):
    """The integral of a broadcast multiplex of full scale 1: L = R = a sine of `tone` Hz, pilot, RDS."""
    if not stereo:
        return sine_phase(t, 0.9, tone)
    rds = 0.02 * (
        sine_phase(t, 1, 3 * PILOT_Hz - RDS_Hz, np.pi / 2) - sine_phase(t, 1, 3 * PILOT_Hz + RDS_Hz, np.pi / 2)
    )
    return sine_phase(t, 0.8, tone) + sine_phase(t, 0.1, PILOT_Hz) + rds


def clock(seconds, rate):
    return np.arange(round(seconds * rate)) / rate


def noise(n, density_rate, cnr_dB, amplitude, width, seed):
    """Complex white noise that leaves a carrier of `amplitude` at `cnr_dB` within `width` Hz; sampled at `density_rate`."""
    sigma = amplitude * np.sqrt(10 ** (-cnr_dB / 10) * density_rate / width / 2)
    r = np.random.default_rng(seed)
    return sigma * (r.standard_normal(n) + 1j * r.standard_normal(n))


def fm_station(seconds, rate, offset=1.5e3, tone=1e3, cnr_dB=45, stereo=True, adjacent=None, excess_dB=0.0, seed=1):
    """Broadcast FM, complex128: amplitude 0.75, or with a neighbour at `adjacent` Hz that one 0.5 and this one less."""
    t = clock(seconds, rate)
    a = 0.75 if adjacent is None else 0.5 * 10 ** (-excess_dB / 20)
    z = a * np.exp(2j * np.pi * (75e3 * multiplex_phase(t, tone, stereo) + offset * t))
    if adjacent is not None:
        z += 0.5 * np.exp(2j * np.pi * (75e3 * multiplex_phase(t, 2300, stereo) + (offset + adjacent) * t))
    return z + noise(len(t), rate, cnr_dB, a, 200e3, seed)


def encode(z, datatype):
    """Complex samples, full scale 1 → interleaved components of a datatype."""
    x = np.ascontiguousarray(z, np.complex128).view(np.float64)
    if datatype == "cu8":
        return np.clip(np.rint(127.5 * x + 127.5), 0, 255).astype(np.uint8)
    if datatype == "ci8":
        return np.clip(np.rint(128 * x), -128, 127).astype(np.int8)
    if datatype == "ci16_le":
        return np.clip(np.rint(32768 * x), -32768, 32767).astype("<i2")
    return x.astype("<f4")


def spectrum(y):
    """Power per bin under a Blackman–Harris window."""
    y = np.asarray(y, float)
    n = len(y)
    turn = 2 * np.pi * np.arange(n) / n
    w = 0.35875 - 0.48829 * np.cos(turn) + 0.14128 * np.cos(2 * turn) - 0.01168 * np.cos(3 * turn)
    return np.abs(np.fft.rfft(y * w)) ** 2


def sinad(y, rate, tone, low=30.0, high=15e3):
    """dB: the tone against everything else between `low` and `high` Hz."""
    power = spectrum(y)
    freq = np.arange(len(power)) * rate / len(y)
    near = np.abs(freq - tone) <= max(8, 6 * rate / len(y))
    band = (freq >= low) & (freq <= high)
    return 10 * np.log10(power[near].sum() / power[band & ~near].sum())


def run(kernel, x):
    """Everything that a kernel makes of x."""
    return np.concatenate([kernel.process(x), kernel.flush()])
