"""An aircraft's message as a row of a table. The decoder's other fields are for jsonl."""

from __future__ import annotations

from sptools.formats._fields import plain, printable
from sptools.formats._table import Column
from sptools.record import Message

# Which of these fields the message has, and the decimals that they mean something with.
CELLS: tuple[tuple[Column, tuple[str, ...], int], ...] = (
    (Column("icao", -6), ("icao",), 0),
    (Column("callsign", -8), ("callsign",), 0),
    (Column("sqwk", -4, 7), ("squawk",), 0),
    (Column("ft", 5), ("altitude_ft", "gnss_altitude_ft"), 0),
    (Column("lat", 8), ("latitude",), 4),
    (Column("lon", 9), ("longitude",), 4),
    (Column("kt", 4, 1), ("ground_speed_kt", "airspeed_kt"), 0),
    (Column("deg", 3, 2), ("track_deg", "heading_deg"), 0),
    (Column("ft/min", 6, 6), ("vertical_rate_ftpmin",), 0),
)
# 80 columns, and beyond them the bits
COLUMNS = (
    Column("time", -12), *(column for column, _, _ in CELLS), Column("dB", 3, 5), Column("", -1, 4), Column("raw", -28, 8),
)  # fmt: skip
MARK = {"crc": " ", "repaired": "r", "inferred": "i"}
# dense traffic has thousands a second: fields, format of a number, what stands where there is none
PLAN = [(names, f">{abs(column.width)}.{decimals}f", " " * abs(column.width), column) for column, names, decimals in CELLS]


def row(message: Message, clock: str, shown: list[int]) -> str:
    """`clock`: the time of day; `shown`: which of `COLUMNS`."""
    fields, cells = message.fields, [clock]
    for names, number, blank, column in PLAN:
        for name in names:
            if name in fields:
                value = fields[name]
                if isinstance(value, (int, float)) and -1e7 < value < 1e7:
                    cells.append(format(value, number))
                else:
                    cells.append(column.cell(odd(value)))
                break
        else:
            cells.append(blank)
    cells += [f"{message.level:3.0f}", MARK.get(message.valid, "?"), printable(message.raw)]
    if len(shown) < len(cells):
        cells = [cells[i] for i in shown]
    return " ".join(cells).rstrip()


def odd(value: object) -> str:
    """No number, or one that no aircraft has."""
    known = value if isinstance(value, str) else plain(value)
    return "-" if known is None else printable(str(known))
