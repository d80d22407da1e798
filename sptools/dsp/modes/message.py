"""The bits of one message → fields. They come as two integers, first bit highest: `head`, the first 56 bits, and `me`,
the 56 that stand between address and parity of a long message. `icao` is known by now.

    DF 0, 16  5 DF · 1 vertical status · 13 · 13 altitude · … · 24 address parity
    DF 4, 20  5 DF · 3 flight status · 11 · 13 altitude · [56 MB] · 24 address parity        DF 5, 21 identity instead
    DF 11     5 DF · 3 capability · 24 address · 24 parity with the interrogator's code
    DF 17, 18 5 DF · 3 capability or control · 24 address · 56 ME · 24 parity

Source: ICAO Annex 10 volume IV §3.1.2.
"""

from __future__ import annotations

from typing import Any

from . import squitter
from .altitude import altitude13, squawk

# DF18: control 3 is coarse, 4 management, 7 reserved: their 56 bits are not an ADS-B message's
ADSB_CONTROLS = (0, 1, 2, 5, 6)


def decode(df: int, head: int, me: int, icao: str) -> dict[str, Any]:
    """Fields of a message whose parity was believed; `me` of a short one is not read. Pure: a position needs `aircraft`."""
    fields: dict[str, Any] = {"icao": icao, "df": df if df < 24 else 24}
    if df == 17:
        fields["capability"] = head >> 48 & 7
        squitter.decode(me, fields)
    elif df == 11:
        fields["capability"] = capability = head >> 48 & 7
        if capability in (4, 5):
            fields["on_ground"] = capability == 4
    elif df == 18:
        fields["control"] = control = head >> 48 & 7
        if control in ADSB_CONTROLS:
            squitter.decode(me, fields)
    elif df < 24:
        surveillance(df, head, fields)
        if df in (20, 21) and me >> 48 == 0x20:  # BDS 2,0: the register names itself
            name = squitter.callsign(me & 0xFFFFFFFFFFFF)
            if name and "#" not in name:
                fields["callsign"] = name
    return fields


def surveillance(df: int, head: int, fields: dict[str, Any]) -> None:
    """DF 0, 4, 5, 16, 20, 21. The first 32 bits are read."""
    code = head >> 24 & 0x1FFF
    if df in (0, 16):
        fields["on_ground"] = bool(head >> 50 & 1)
    else:
        flight = head >> 48 & 7
        if flight <= 3:
            fields["on_ground"] = bool(flight & 1)
        if 2 <= flight <= 4:
            fields["alert"] = True
        if 4 <= flight <= 5:
            fields["spi"] = True
    if df in (5, 21):
        fields["squawk"] = squawk(code)
    else:
        feet = altitude13(code)
        if feet is not None:
            fields["altitude_ft"] = feet
