"""Mode S and ADS-B on 1090 MHz: one message, one record."""

from __future__ import annotations

from typing import Annotated

from sptools.dsp.kernel import Demodulator
from sptools.dsp.modes.receiver import Receiver
from sptools.errors import Usage
from sptools.units import Live, Seconds, Within


def adsb(
    rate: float,
    datatype: str,
    offset: float = 0.0,
    *,
    repair: Live[bool] = True,
    aggressive: Live[bool] = False,
    latitude: Annotated[Live[float] | None, Within(-90, 90)] = None,
    longitude: Annotated[Live[float] | None, Within(-180, 180)] = None,
    latency: Annotated[Seconds, Within(0.005, 2.0)] = 0.1,
) -> Demodulator:
    """Aircraft transponders on 1090 MHz (Mode S, ADS-B).

    Takes 2 MS/s or more (`-s 2M`; 2.4M and the like are interpolated). Every message has its bits (raw), who sent it (icao) and
    what it says: callsign, altitude, position, velocity, squawk. `valid` tells the evidence: crc, the parity is intact;
    repaired (r in text), wrong bits were corrected and the aircraft is known; inferred (i), the parity hides the
    address, and it is that of an aircraft heard in the last 60 s. A position appears with the second message of an even
    and odd pair; on the ground also at once if the receiver's own position is given.

    Settings:
        repair: correct single wrong bits in messages from known aircraft
        aggressive: correct two wrong bits as well (more false messages)
        latitude: where the receiver stands, degrees north
        longitude: where the receiver stands, degrees east
        latency: length of the piece that is searched at once
    Examples:
        sp-capture sim:adsb,pace=0 --duration 1s | sp-demod adsb -t
    Source: ICAO Annex 10 volume IV; RTCA DO-260B.
    """
    if (latitude is None) != (longitude is None):
        raise Usage("adsb: --latitude and --longitude go together: give both, or neither")
    settings = {"repair": repair, "aggressive": aggressive, "latitude": latitude, "longitude": longitude}
    return Receiver(rate, datatype, offset, latency, settings)
