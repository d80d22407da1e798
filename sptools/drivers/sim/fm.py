"""sim:fm: a broadcast FM station."""

from __future__ import annotations

from typing import Annotated

from sptools.errors import RateTooLow, Usage
from sptools.units import Decibel, File, Gain, Hertz, Offset, Rate, Seconds, Text, Within

from ._band import Band, cell_length
from ._modulator import Modulator, factor_for
from ._multiplex import Multiplex, Sounds, Tuned, sounds

GRID_Hz = 240e3
SLOWEST = 200e3
CHANNEL_Hz = 200e3  # the carrier-to-noise ratio counts the noise in this width
NEIGHBOUR = Tuned(1700.0, 400.0)  # other tones than anybody listens for
FREQ = 100e6
RATE = 2.4e6


def fm(
    *,
    freq: Hertz = FREQ,
    rate: Rate = RATE,
    gain: Gain = float("nan"),
    station: Hertz | None = None,
    detune: Offset = 0.0,
    tone: Annotated[Hertz, Within(0, 15e3)] = 1e3,
    left: Annotated[Hertz, Within(0, 15e3)] | None = None,
    right: Annotated[Hertz, Within(0, 15e3)] | None = None,
    audio: File | None = None,
    preemphasis: Seconds = 50e-6,
    stereo: bool = True,
    rds: bool = True,
    pi: Text = "5053",
    ps: Text = "SPTOOLS",
    rt: Text = "sptools simulated station: what you hear was never on the air",
    cnr: Decibel = 45.0,
    adjacent: Offset | None = None,
    adjacent_gain: Decibel = 20.0,
    seed: int = 1,
) -> Band:
    """A broadcast FM station: stereo with pilot, RDS, tones or programme audio.

    Frequency = 75 kHz · (0.8 · [(L+R)/2 + (L−R)/2 · sin 2φ] + 0.1 · sin φ + 0.04 · rds · sin 3φ), φ = 2π · 19 kHz · t;
    mono is 0.9 · (L+R)/2. The tones are phases in closed form; left= or right= alone leaves the other side silent.
    The carrier-to-noise ratio counts the noise in 200 kHz. A tone has full deviation at any pre-emphasis.

    Source: ITU-R BS.450-4 §2; IEC 62106.
    """
    if rate < SLOWEST:
        raise RateTooLow("sim:fm", need=SLOWEST, have=rate)
    factor = factor_for(rate, GRID_Hz)
    cell = cell_length(rate, 8 * factor)
    power, neighbour = (0.75, 0.0) if adjacent is None else excess(adjacent_gain)
    sigma = power * (10 ** (-cnr / 10) * rate / CHANNEL_Hz / 2) ** 0.5
    # an automatic gain leaves room for the noise: three sigma
    level = min(1.0, 1.0 / (power + neighbour + 3 * sigma))
    place = (freq if station is None else station) + detune
    wanted = Modulator(place, power * level, rate, factor, cell)
    grid = rate / factor
    sound: Tuned | Sounds
    if audio is not None:
        sound = sounds(audio, preemphasis)
    elif left is None and right is None:
        sound = Tuned(tone, tone)
    else:
        sound = Tuned(left or 0.0, right or 0.0)
    wanted.programme = Multiplex(sound, stereo, identity(pi, ps, rt) if rds else None, grid, wanted.count).phase
    emitters = [wanted]
    if adjacent is not None:
        other = Modulator(place + adjacent, neighbour * level, rate, factor, cell)
        other.programme = Multiplex(NEIGHBOUR, True, None, grid, other.count).phase
        emitters.append(other)
    return Band(rate, freq, gain, cell, emitters, sigma * level, seed)


def excess(gain: float) -> tuple[float, float]:
    """Amplitudes of the wanted and of an adjacent station that is `gain` dB stronger: the louder one has 0.5."""
    ratio = 10 ** (-abs(gain) / 20)
    return (0.5 * ratio, 0.5) if gain >= 0 else (0.5, 0.5 * ratio)


def identity(pi: str, ps: str, rt: str) -> tuple[int, str, str]:
    """What RDS says; `pi` is four hexadecimal digits."""
    try:
        number = int(pi, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        raise Usage(f"pi={pi!r} is not a programme identification: four hexadecimal digits, like 5053")
    return number, ps, rt
