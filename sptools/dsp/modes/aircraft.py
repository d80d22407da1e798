"""The aircraft heard lately: whose address is believed, and where each one is.

An address is *known* for 60 s of the stream after a message that proves it (parity intact, address in the clear). At most
`MOST` are kept, the one heard longest ago goes first. A position needs an even and an odd message within 10 s; after
two pairs or a pair and its followers agree, single messages are decoded near the last position, as long as the jump is one
an aircraft can make. A message that jumps further drops the position, and pairs start again.
"""

from __future__ import annotations

from typing import Any

from . import cpr

KNOWN_s = 60.0
PAIR_s = 10.0
MOST = 4096
SPEED_NMps = 0.4  # 1440 kt
SLACK_NM = 3.0  # of clock, rounding and the first fix


class Aircraft:
    """State of one address; times in seconds of the stream."""

    __slots__ = ("even", "fix", "fixed", "ground", "heard", "icao", "odd")

    def __init__(self, icao: str) -> None:
        self.icao = icao
        self.heard = 0.0
        self.even: tuple[float, float, float] | None = None  # y, x, time
        self.odd: tuple[float, float, float] | None = None
        self.fix: tuple[float, float] | None = None
        self.fixed = 0.0
        self.ground = False


class Traffic:
    """Addresses → aircraft, the one heard longest ago first."""

    def __init__(self) -> None:
        self.aircraft: dict[int, Aircraft] = {}

    def heard(self, icao: int, time: float) -> Aircraft:
        """A message has proved this address."""
        craft = self.aircraft.pop(icao, None) or Aircraft(f"{icao:06X}")
        craft.heard = time
        self.aircraft[icao] = craft
        if len(self.aircraft) > MOST:
            del self.aircraft[next(iter(self.aircraft))]
        return craft

    def known(self, icao: int, time: float) -> Aircraft | None:
        craft = self.aircraft.get(icao)
        return craft if craft is not None and time - craft.heard <= KNOWN_s else None

    def expire(self, time: float) -> None:
        """Forgets what was not heard for 60 s."""
        for icao in list(self.aircraft):
            if time - self.aircraft[icao].heard <= KNOWN_s:
                break
            del self.aircraft[icao]


def locate(craft: Aircraft, fields: dict[str, Any], time: float, home: tuple[float, float] | None) -> None:
    """Replaces `cpr_…` by latitude and longitude where they can be known. `home`: where the receiver stands, if given."""
    odd, y, x = fields["cpr_odd"], fields["cpr_latitude"] / cpr.CELLS, fields["cpr_longitude"] / cpr.CELLS
    ground = fields["typecode"] < 9
    if ground != craft.ground:  # the grids differ
        craft.ground, craft.even, craft.odd = ground, None, None
    if odd:
        craft.odd = (y, x, time)
    else:
        craft.even = (y, x, time)
    place = on_ground(craft, odd, y, x, time, home) if ground else in_flight(craft, odd, y, x, time)
    if place is not None:
        craft.fix, craft.fixed = place, time
        del fields["cpr_odd"], fields["cpr_latitude"], fields["cpr_longitude"]
        fields["latitude"], fields["longitude"] = round(place[0] * 1e6) / 1e6, round(place[1] * 1e6) / 1e6


def plausible(craft: Aircraft, place: tuple[float, float], time: float) -> bool:
    """Could the aircraft have come here since its last position?"""
    return craft.fix is not None and cpr.apart(craft.fix, place) <= SLACK_NM + SPEED_NMps * (time - craft.fixed)


def in_flight(craft: Aircraft, odd: bool, y: float, x: float, time: float) -> tuple[float, float] | None:
    if craft.fix is not None and time - craft.fixed <= KNOWN_s:
        place = cpr.near(odd, y, x, *craft.fix)
        if place is not None and plausible(craft, place, time):
            return place
        # one of the two is wrong: believe neither, and let a fresh pair decide
        craft.fix = None
        craft.even, craft.odd = (None, craft.odd) if odd else (craft.even, None)
        return None
    even, other = craft.even, craft.odd
    if even is None or other is None or abs(even[2] - other[2]) > PAIR_s:
        return None
    return cpr.pair(even[:2], other[:2], odd)


def on_ground(
    craft: Aircraft, odd: bool, y: float, x: float, time: float, home: tuple[float, float] | None
) -> tuple[float, float] | None:
    """A quarter of the cell: the zone comes from where the aircraft landed, or from the receiver's own position."""
    if craft.fix is not None and time - craft.fixed <= KNOWN_s:
        place = cpr.near(odd, y, x, *craft.fix, cell=90.0)
        if place is not None and plausible(craft, place, time):
            return place
        craft.fix = None
        return None
    return cpr.near(odd, y, x, *home, cell=90.0) if home else None
