"""Aircraft on circles, and what they say when: a function of the seed and of time, so that it can be compared."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from . import _modes
from ._noise import scramble

KINDS = ("even", "velocity", "odd", "all-call", "identification", "altitude", "identity")  # each once a second
SPACE_s = 200e-6  # between the starts of two messages: none garbles another
MOST = 100
METRE_deg = 1 / 111_195
KNOT = 1852 / 3600  # m/s


class Aircraft(NamedTuple):
    """Flies a circle. Angles in degrees, `radius` m, `speed` kt, `height` and `swing` ft, `drift` Hz off 1090 MHz."""

    icao: int
    callsign: str
    squawk: str
    latitude: float
    longitude: float
    radius: float
    speed: float
    begin: float
    height: float
    swing: float
    amplitude: float
    drift: float

    def state(self, time: float) -> dict[str, float]:
        """What is true at `time` s: latitude, longitude, altitude (ft), east, north (kt), climb (ft/min)."""
        turn = math.radians(self.begin) + self.speed * KNOT / self.radius * time
        climbing = 2 * math.pi * time / 600
        return {
            "latitude": self.latitude + self.radius * METRE_deg * math.sin(turn),
            "longitude": self.longitude + self.radius * METRE_deg * math.cos(turn) / math.cos(math.radians(self.latitude)),
            "altitude": self.height + self.swing * math.sin(climbing),
            "east": -self.speed * math.sin(turn),
            "north": self.speed * math.cos(turn),
            "climb": self.swing * math.cos(climbing) * 2 * math.pi / 10,
        }


class Sent(NamedTuple):
    """A message: `time` s of its first pulse."""

    time: float
    aircraft: Aircraft
    kind: str
    raw: str  # hexadecimal


def fleet(count: int, seed: int) -> list[Aircraft]:
    """The same aircraft for the same seed, around 52° N 4° E; the first one is the loudest."""
    found = []
    for i in range(count):
        share = lambda what, i=i: scramble(seed, 40, i, what) / 2**64
        found.append(
            Aircraft(
                icao=0x480000 | scramble(seed, 41, i) & 0xFFF00 | i,
                callsign=f"SIM{100 + i}",
                squawk=f"{scramble(seed, 42, i) & 0o7777:04o}",
                latitude=51.5 + share(0),
                longitude=3.5 + 2 * share(1),
                radius=15e3 + 20e3 * share(2),
                speed=round(220 + 250 * share(3)),
                begin=360 * share(4),
                height=3000 + 35000 * share(5),
                swing=300 + 900 * share(6),
                amplitude=0.8 if i == 0 else 0.25 + 0.55 * share(7),
                drift=40e3 * (share(8) - 0.5),
            )
        )
    return found


def traffic(aircraft: list[Aircraft], seed: int, begin: float, end: float) -> Iterator[Sent]:
    """What begins in [begin, end) s after the start, in order."""
    if not aircraft:
        return
    pace = len(aircraft) * len(KINDS)  # messages a second
    for number in range(max(0, math.floor(begin * pace) - 1), math.ceil(end * pace) + 1):
        late = scramble(seed, 43, number) / 2**64 * (1 / pace - SPACE_s)
        # A whole half microsecond and up to a tenth more: a receiver at 2 MS/s that samples a pulse just between two
        # of its samples cannot tell ones from zeros; its filter's slope decides there, which is not simulated.
        time = (number / pace + late) // 0.5e-6 * 0.5e-6 + scramble(seed, 44, number) / 2**64 * 0.1e-6
        if begin <= time < end:
            which = aircraft[number % len(aircraft)]
            kind = KINDS[number // len(aircraft) % len(KINDS)]
            yield Sent(time, which, kind, message(which, kind, time))


def message(which: Aircraft, kind: str, time: float) -> str:
    """Hexadecimal of what an aircraft says."""
    if kind == "all-call":
        return _modes.all_call(which.icao)
    if kind == "identity":
        return _modes.identity_reply(which.icao, which.squawk)
    if kind == "identification":
        return _modes.squitter(which.icao, _modes.identification(which.callsign))
    now = which.state(time)
    if kind == "altitude":
        return _modes.altitude_reply(which.icao, now["altitude"])
    if kind == "velocity":
        return _modes.squitter(which.icao, _modes.velocity(now["east"], now["north"], now["climb"]))
    me = _modes.airborne_position(now["altitude"], now["latitude"], now["longitude"], int(kind == "odd"))
    return _modes.squitter(which.icao, me)
