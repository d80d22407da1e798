"""sim: simulated receivers. A station is a file of this folder; it appears as sim:NAME."""

from __future__ import annotations

from typing import Annotated

from sptools import registry
from sptools.errors import RateTooLow, SourceTooSlow, Usage, guess
from sptools.units import Count, Decibel, File, Gain, Hertz, Live, Offset, Rate, Seconds, Text, Time, Tuned, Within

from ._receiver import Faults, Receiver


def sim(
    address: str,
    *,
    freq: Live[Tuned] | None = None,
    rate: Rate | None = None,
    gain: Live[Gain] = float("nan"),
    pace: Annotated[float, Within(0, 1000)] = 1.0,
    start: Time | None = None,
    seed: int = 1,
    lose: Count = 0,
    lose_every: Seconds = 1.0,
    stall: Seconds | None = None,
    die: Seconds | None = None,
    timeout: Seconds = 3.0,
    station: Hertz | None = None,
    spacing: Offset | None = None,
    detune: Offset | None = None,
    cnr: Decibel | None = None,
    tone: Offset | None = None,
    level: Decibel | None = None,
    noise: Decibel | None = None,
    left: Hertz | None = None,
    right: Hertz | None = None,
    audio: File | None = None,
    preemphasis: Seconds | None = None,
    stereo: bool | None = None,
    rds: bool | None = None,
    pi: Text | None = None,
    ps: Text | None = None,
    rt: Text | None = None,
    adjacent: Offset | None = None,
    adjacent_gain: Decibel | None = None,
    on: Seconds | None = None,
    off: Seconds | None = None,
    ctcss: Hertz | None = None,
    deviation: Hertz | None = None,
    depth: float | None = None,
    aircraft: Count | None = None,
) -> Receiver:
    """Simulated receivers: fm, nbfm, am, adsb, tone, telemetry.

    Paced in real time unless pace=0, where time runs from `start` by samples. The same keys and seed give the same
    samples, however they are cut. Not every station has every key; one that it lacks is refused.

    Settings:
        freq: centre frequency; by default the station's
        rate: samples, or rows of telemetry, a second
        gain: 30 dB is what auto gives
        pace: times real time; 0 flat out
        start: time of the first sample; by default now
        seed: of the noise and of all that is made up
        lose: so many samples go missing at a time
        lose_every: time between two such losses
        stall: stop delivering after so long, as a hung device
        die: end after so long, as a device that is pulled out
        timeout: a stall is reported after so long
        station: frequency that the station stands on, whatever is tuned to; by default freq (nbfm: freq + spacing)
        spacing: distance of the voice channel from the centre
        detune: error of the station's frequency
        cnr: carrier-to-noise ratio in the station's channel
        tone: programme tone; in sim:tone the tone's distance from the centre; 0 silence (nbfm: a voice by default)
        level: level of the tone, dBFS
        noise: level of the noise, dBFS/Hz
        left: tone on the left side only
        right: tone on the right side only
        audio: programme from a 16-bit WAV file, repeated
        preemphasis: time constant for programme audio; 0 none
        stereo: pilot and difference signal
        rds: data on 57 kHz
        pi: programme identification, four hexadecimal digits
        ps: station name, at most 8 characters
        rt: radio text, at most 64 characters
        adjacent: distance of a second station
        adjacent_gain: how much stronger that one is
        on: length of a transmission
        off: pause between two
        ctcss: sub-audible tone
        deviation: peak deviation of the voice
        depth: modulation depth, 0 to 1
        aircraft: how many are in the air
    Examples:
        sp-capture sim:fm,pace=0,detune=1500 --duration 1s | sp-demod wbfm -o fm.wav
        sp-capture sim:adsb,pace=0 --duration 1s | sp-demod adsb -j
        sp-capture sim:tone,pace=0,lose=4800 --duration 2s | sp-cat --gaps
    """
    given = {k: v for k, v in locals().items() if v is not None and k not in OWN}
    stations = registry.names("drivers/sim")
    if not address:
        raise Usage(f"which station? {', '.join(f'sim:{name}' for name in stations)}")
    if address not in stations:
        raise Usage(f"sim:{address} is not a station: {guess(address, stations, 'sim:')}there are {', '.join(stations)}")
    description = registry.describe("drivers/sim", address)
    if gain != gain:
        del given["gain"]
    for key in given:
        if key not in description.valid:
            valid = ", ".join(sorted({*description.valid, *OWN} - {"address"}))
            raise Usage(f"sim:{address} has no key {key!r}: it has {valid}")
        given[key] = description.setting(key).parse(given[key], f"sim:{address}: {key}")
    make = getattr(registry.load("drivers/sim", address), address)
    try:
        source = make(**given)
    except RateTooLow as low:
        raise SourceTooSlow(**low.facts) from None  # type: ignore[arg-type]
    faults = Faults(source.rate, lose, lose_every, stall, die, timeout)
    return Receiver(source, f"sim:{address}", pace, start, faults)


def devices() -> list[str]:
    """A line for each station."""
    return [f"sim:{name}  {registry.summary('drivers/sim', name)}" for name in registry.names("drivers/sim")]


OWN = ("address", "pace", "start", "lose", "lose_every", "stall", "die", "timeout")  # of the receiver, not of a station
