"""Compact Position Reporting: 17 bits of latitude and of longitude inside a cell, from one of two grids.

The even grid has 60 zones of latitude, the odd one 59; a pair within 10 s tells the zone, and then one message tells the
position near a known one. On the ground a cell is a quarter as large. Latitudes and longitudes are in degrees,
`y` and `x` the 17-bit fields as fractions of a cell.

Source: RTCA DO-260B appendix A §1.7; J. Sun, The 1090 Megahertz Riddle, chapter 5.
"""

from __future__ import annotations

from bisect import bisect_left
from math import acos, cos, floor, pi, radians, sqrt

CELLS = 131072.0  # 2^17


def _borders() -> list[float]:
    """Latitudes at which the number of longitude zones falls from 59 to 58, …, from 2 to 1."""
    top = 1 - cos(pi / 30)  # 15 zones of latitude a quadrant: 2π/60
    return [*(acos(sqrt(top / (1 - cos(2 * pi / nl)))) * 180 / pi for nl in range(59, 2, -1)), 87.0]


BORDERS = _borders()


def zones(latitude: float) -> int:
    """Number of longitude zones at a latitude: 59 at the equator, 1 beyond 87°."""
    return 59 - bisect_left(BORDERS, abs(latitude))


def near(odd: bool, y: float, x: float, latitude: float, longitude: float, cell: float = 360.0) -> tuple[float, float] | None:
    """The position nearest to a known one: unambiguous within 180 nautical miles, on the ground (`cell` 90) within 45."""
    height = cell / (59 if odd else 60)
    lat = height * (floor(0.5 + latitude / height - y) + y)
    if not -90 <= lat <= 90:
        return None
    width = cell / max(zones(lat) - odd, 1)
    lon = width * (floor(0.5 + longitude / width - x) + x)
    return lat, (lon + 180) % 360 - 180


def pair(even: tuple[float, float], odd: tuple[float, float], newest_odd: bool) -> tuple[float, float] | None:
    """The airborne position of the newest of two messages (y, x); None if they lie in different longitude zones."""
    (y0, x0), (y1, x1) = even, odd
    j = floor(59 * y0 - 60 * y1 + 0.5)
    lat0, lat1 = 6.0 * (j % 60 + y0), 360.0 / 59 * (j % 59 + y1)
    lat0 -= 360 if lat0 >= 270 else 0
    lat1 -= 360 if lat1 >= 270 else 0
    if not (-90 <= lat0 <= 90 and -90 <= lat1 <= 90):
        return None
    nl = zones(lat0)
    if nl != zones(lat1):
        return None
    m = floor(x0 * (nl - 1) - x1 * nl + 0.5)
    lat, x, count = (lat1, x1, max(nl - 1, 1)) if newest_odd else (lat0, x0, nl)
    lon = 360.0 / count * (m % count + x)
    return lat, (lon + 180) % 360 - 180


def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Nautical miles between two near positions (flat earth: a test of sanity, not of navigation)."""
    north = b[0] - a[0]
    east = ((b[1] - a[1] + 180) % 360 - 180) * cos(radians((a[0] + b[0]) / 2))
    return 60 * sqrt(north * north + east * east)
