"""Extended squitters: the 56 bits ME of DF 17 and 18, by type code. `me` is those bits as an integer, first bit highest.

    1–4   5 TC · 3 category · 8 × 6 characters
    5–8   5 TC · 7 movement · 1 valid · 7 track · 1 T · 1 F · 17 latitude · 17 longitude                     on the ground
    9–18  5 TC · 2 status · 1 · 12 altitude · 1 T · 1 F · 17 latitude · 17 longitude      20–22 the same, GNSS height
    19    5 TC · 3 subtype · 5 · 22 velocity · 1 source · 1 sign · 9 vertical rate · 2 · 1 sign · 7 GNSS less barometric
    28    5 TC · 3 subtype 1 · 3 emergency · 13 identity
    29    5 TC · 2 subtype 1 · 2 · 11 selected altitude · 9 setting · 1 valid · 9 selected heading
    31    5 TC · 3 subtype · 32 · 3 version

Positions come as `cpr_…`; `aircraft` makes latitudes of them. Source: RTCA DO-260B §2.2.3.2.
"""

from __future__ import annotations

from math import atan2, hypot, pi
from typing import Any

from .altitude import FEET_PER_METRE, altitude12, squawk

_LETTERS = "#ABCDEFGHIJKLMNOPQRSTUVWXYZ##### ###############0123456789######"
PAIRS = [a + b for a in _LETTERS for b in _LETTERS]  # two characters at a time: half the work
EMERGENCIES = ("none", "general", "medical", "fuel", "radio", "unlawful", "downed", "reserved")
# (first movement code, knots there, knots a step): surface speeds, finer when slow
MOVEMENT = (
    (2, 0.125, 0.125), (9, 1.0, 0.25), (13, 2.0, 0.5), (39, 15.0, 1.0), (94, 70.0, 2.0), (109, 100.0, 5.0), (124, 175.0, 0.0),
)  # fmt: skip

Fields = dict[str, Any]


def decode(me: int, fields: Fields) -> None:
    """Adds to `fields` what `me` says, `typecode` first."""
    fields["typecode"] = tc = me >> 51
    TYPES[tc](tc, me, fields)


def callsign(characters: int) -> str:
    """Eight characters of six bits."""
    c = characters
    return (PAIRS[c >> 36 & 4095] + PAIRS[c >> 24 & 4095] + PAIRS[c >> 12 & 4095] + PAIRS[c & 4095]).rstrip()


def identification(tc: int, me: int, fields: Fields) -> None:
    fields["category"] = "?DCBA"[tc] + str(me >> 48 & 7)
    fields["callsign"] = callsign(me & 0xFFFFFFFFFFFF)


def position(me: int, fields: Fields) -> None:
    fields["cpr_odd"] = bool(me >> 34 & 1)
    fields["cpr_latitude"] = me >> 17 & 0x1FFFF
    fields["cpr_longitude"] = me & 0x1FFFF


def surface(tc: int, me: int, fields: Fields) -> None:
    fields["on_ground"] = True
    speed = movement(me >> 44 & 127)
    if speed is not None:
        fields["ground_speed_kt"] = speed
    if me >> 43 & 1:
        fields["track_deg"] = (me >> 36 & 127) * 2.8125
    position(me, fields)


def movement(code: int) -> float | None:
    """Knots on the ground; None: not available."""
    if code == 1:
        return 0.0
    for first, knots, step in reversed(MOVEMENT):
        if first <= code <= 124:
            return knots + (code - first) * step
    return None


def airborne(tc: int, me: int, fields: Fields) -> None:
    fields["on_ground"] = False
    feet = altitude12(me >> 36 & 0xFFF)
    if feet is not None:
        fields["altitude_ft"] = feet
    position(me, fields)


def airborne_gnss(tc: int, me: int, fields: Fields) -> None:
    fields["on_ground"] = False
    metres = me >> 36 & 0xFFF
    if metres:
        fields["gnss_altitude_ft"] = round(metres * FEET_PER_METRE)
    position(me, fields)


def velocity(tc: int, me: int, fields: Fields) -> None:
    subtype = me >> 48 & 7
    step = 4 if subtype in (2, 4) else 1  # supersonic
    if subtype in (1, 2):
        east, north = me >> 32 & 1023, me >> 21 & 1023
        if east and north:
            x = (1 - east if me >> 42 & 1 else east - 1) * step
            y = (1 - north if me >> 31 & 1 else north - 1) * step
            fields["ground_speed_kt"] = round(hypot(x, y) * 100) / 100  # a third of the time of round(…, 2)
            fields["track_deg"] = round(atan2(x, y) * (18000 / pi)) % 36000 / 100
    elif subtype in (3, 4):
        if me >> 42 & 1:
            fields["heading_deg"] = (me >> 32 & 1023) * 0.3515625
        speed = me >> 21 & 1023
        if speed:
            fields["airspeed_kt"] = (speed - 1) * step
            fields["airspeed_type"] = "true" if me >> 31 & 1 else "indicated"
    else:
        return
    rate = me >> 10 & 511
    if rate:
        fields["vertical_rate_ftpmin"] = (1 - rate if me >> 19 & 1 else rate - 1) * 64
        fields["vertical_rate_source"] = "barometric" if me >> 20 & 1 else "gnss"
    above = me & 127
    if above:
        fields["gnss_above_baro_ft"] = (1 - above if me >> 7 & 1 else above - 1) * 25


def status(tc: int, me: int, fields: Fields) -> None:
    if me >> 48 & 7 == 1:
        fields["emergency"] = EMERGENCIES[me >> 45 & 7]
        fields["squawk"] = squawk(me >> 32 & 0x1FFF)


def target(tc: int, me: int, fields: Fields) -> None:
    if me >> 49 & 3 != 1:
        return
    selected, setting = me >> 36 & 0x7FF, me >> 27 & 0x1FF
    if selected:
        fields["selected_altitude_ft"] = (selected - 1) * 32
    if setting:
        fields["setting_hPa"] = round(800 + (setting - 1) * 0.8, 1)
    if me >> 26 & 1:
        fields["selected_heading_deg"] = (me >> 17 & 0x1FF) * 0.703125


def operational(tc: int, me: int, fields: Fields) -> None:
    if me >> 48 & 7 in (0, 1):
        fields["adsb_version"] = me >> 13 & 7


def nothing(tc: int, me: int, fields: Fields) -> None:
    """Type codes without fields of ours."""


TYPES = [nothing] * 32
TYPES[1:5] = [identification] * 4
TYPES[5:9] = [surface] * 4
TYPES[9:19] = [airborne] * 10
TYPES[19] = velocity
TYPES[20:23] = [airborne_gnss] * 3
TYPES[28], TYPES[29], TYPES[31] = status, target, operational
