"""Units are types: `Hertz` parses `99.7M`, prints `99.7M`, and is a plain float in the body of a function.

`Annotated[Live[Hertz], Within(10e3, 300e3)]`: a frequency, changeable while running, inside a range. Every parser
takes text or a number and raises `errors.Usage`, with both readings where a text has two; `format` is its inverse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

from sptools.errors import Usage

NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+))?\s*([^\d\s.][^\s]*)?\s*")
PREFIXES = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9}
# suffix → seconds, power of ten: 20ms is 20e-3, rounded once
DURATIONS = {
    "": (1, 0), "ns": (1, -9), "us": (1, -6), "µs": (1, -6), "ms": (1, -3), "s": (1, 0),
    "m": (60, 0), "min": (60, 0), "h": (3600, 0), "d": (86400, 0),
}  # fmt: skip
SIZES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
         "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}  # fmt: skip


class Unit(NamedTuple):
    """What a value means. `metavar` stands for it in help; `parse` takes text or a number, `format` gives text."""

    name: str
    symbol: str
    metavar: str
    parse: Callable[[Any], Any]
    format: Callable[[Any], str]


class Within(NamedTuple):
    """The range that a setting must stay in, both ends included."""

    lo: float
    hi: float


LIVE = "live"  # marks a setting that may change while the tool runs
T = TypeVar("T")
Live = Annotated[T, LIVE]


def split_number(value: str, what: str, example: str) -> tuple[str, int, str]:
    """(digits, decimal exponent, suffix) of a text such as `99.7M`; kept apart so that the one rounding comes last."""
    found = NUMBER.fullmatch(value)
    if not found or len(value) > 500 or abs(int(found[2] or 0)) > 400:
        raise Usage(f"{value!r} is not {what}: write it like {example}")
    return found[1], int(found[2] or 0), found[3] or ""


def finite(value: float, what: str) -> float:
    """The number as a float; NaN and infinity name no quantity."""
    if value != value or value in (float("inf"), float("-inf")):
        raise Usage(f"{value} is not {what}")
    return float(value)


def shift(value: float, places: int) -> str:
    """The shortest decimal text of value · 10^−places, exact: only the decimal point moves."""
    digits, _, exponent = repr(float(value)).partition("e")
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    whole, _, part = digits.partition(".")
    point = len(whole) + int(exponent or 0) - places
    digits = whole + part
    if point <= 0:
        digits, point = "0" * (1 - point) + digits, 1
    digits = digits.ljust(point, "0")
    part = digits[point:].rstrip("0")
    whole = digits[:point].lstrip("0") or "0"
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def parse_scaled(value: Any, what: str, example: str, tail: str = "") -> float:
    """A number with k, M or G, perhaps followed by the unit itself (`tail`, a regular expression)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return finite(value, what)
    digits, exponent, suffix = split_number(str(value), what, example)
    prefix = re.sub(f"(?:{tail})$", "", suffix) if tail else suffix
    if prefix == "m":
        rest = suffix[1:]
        milli = shift(float(f"{digits}e{exponent - 3}"), 0)
        raise Usage(
            f"{value!r} has two readings: milli ({milli}) or mega ({digits}M{rest}); "
            f"write {digits}M{rest} for mega, the plain number for milli"
        )
    if prefix not in PREFIXES:
        raise Usage(f"{value!r} is not {what}: unknown suffix {suffix!r}, write it like {example}")
    return finite(float(f"{digits}e{exponent + PREFIXES[prefix]}"), what)


def format_scaled(value: float) -> str:
    """`99.7M`, `250k`, `-12.5k`: the largest prefix that leaves a number of at least 1."""
    size = abs(value)
    for prefix, places in (("G", 9), ("M", 6), ("k", 3)):
        if size >= 10**places:
            return shift(value, places) + prefix
    return shift(value, 0)


def at_least(low: float, value: float, said: Any, what: str) -> float:
    if value < low:
        raise Usage(f"{said!r} is not {what}: it may not be below {low:g}")
    return value


def parse_hertz(value: Any) -> float:
    return at_least(0, parse_scaled(value, "a frequency", "99.7M", "[Hh]z"), value, "a frequency")


def parse_tuned(value: Any) -> float:
    """What a receiver is tuned to. Below 1 kHz there is no radio: somebody left out the M."""
    freq = parse_hertz(value)
    if 0 < freq < 1000:
        raise Usage(f"{shift(freq, 0)} Hz? for megahertz write {shift(freq, 0)}M")
    return freq


def parse_offset(value: Any) -> float:
    return parse_scaled(value, "a frequency offset", "-250k", "[Hh]z")


def parse_rate(value: Any) -> float:
    rate = parse_scaled(value, "a sample rate", "2.4M", "S/s|[Ss]ps|[Hh]z")
    if rate <= 0:
        raise Usage(f"{value!r} is not a sample rate: it must be above 0")
    return rate


def parse_plain(value: Any, what: str, example: str, symbols: tuple[str, ...]) -> float:
    """A number without prefixes, perhaps with its symbol."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return finite(value, what)
    digits, exponent, suffix = split_number(str(value), what, example)
    if suffix not in ("", *symbols):
        raise Usage(f"{value!r} is not {what}: unknown suffix {suffix!r}, write it like {example}")
    return finite(float(f"{digits}e{exponent}"), what)


def parse_decibel(value: Any) -> float:
    return parse_plain(value, "a level in dB", "20", ("dB", "db", "dBFS", "dBm"))


def parse_gain(value: Any) -> float:
    """A gain in dB; `auto` is NaN, the gain that nobody set."""
    if value == "auto" or (isinstance(value, float) and value != value):
        return float("nan")
    return parse_plain(value, "a gain in dB or auto", "29.7", ("dB", "db"))


def format_gain(value: float) -> str:
    return "auto" if value != value else shift(value, 0)


def parse_ppm(value: Any) -> float:
    return parse_plain(value, "a frequency error in ppm", "-1.5", ("ppm",))


def parse_number(value: Any) -> float:
    return parse_plain(value, "a number", "0.5", ())


def parse_seconds(value: Any) -> float:
    """A duration: `20ms`, `10s`, `5m` (minutes), `1h`, `2d`; a bare number is seconds."""
    what, example = "a duration", "20ms, 10s, 5m, 1h or 2d"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return at_least(0, finite(value, what), value, what)
    digits, exponent, suffix = split_number(str(value), what, example)
    if suffix not in DURATIONS:
        hint = f": months or minutes? Minutes are {digits}m" if suffix == "M" else f": write it like {example}"
        raise Usage(f"{value!r} is not a duration{hint}")
    factor, places = DURATIONS[suffix]
    number = float(f"{digits}e{exponent + places}") * factor
    return at_least(0, finite(number, what), value, what)


def format_seconds(value: float) -> str:
    """`20ms`, `90s`, `5m`: the largest unit that leaves a whole number, else decimals of the next smaller one."""
    for suffix, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if value >= length and value % length == 0:
            return f"{int(value // length)}{suffix}"
    if value >= 1 or value == 0:
        return shift(value, 0) + "s"
    for suffix, places in (("ms", -3), ("us", -6), ("ns", -9)):
        if value >= 10.0**places or places == -9:
            return shift(value, places) + suffix
    raise AssertionError


def parse_size(value: Any) -> int:
    """Bytes. A text needs its B, because M alone is 10^6 to some and 2^20 to others."""
    what, example = "a size", "64MB or 64MiB"
    if isinstance(value, int) and not isinstance(value, bool):
        return int(at_least(0, value, value, what))
    digits, exponent, suffix = split_number(str(value), what, example)
    scale = {"": ("", ""), "k": ("kB", "KiB"), "K": ("kB", "KiB"), "M": ("MB", "MiB"), "G": ("GB", "GiB")}
    if suffix in scale and (digits, suffix) != ("0", ""):
        decimal, binary = scale[suffix]
        if not decimal:
            raise Usage(f"{value!r} has no unit: write {value}B for bytes")
        raise Usage(
            f"{value!r} has two readings: {digits}{decimal} ({exact(digits, exponent, SIZES[decimal]):,} bytes) "
            f"or {digits}{binary} ({exact(digits, exponent, SIZES[binary]):,} bytes); write one of them"
        )
    if suffix and suffix not in SIZES:
        raise Usage(f"{value!r} is not a size: unknown suffix {suffix!r}, write it like {example}")
    return int(at_least(0, exact(digits, exponent, SIZES.get(suffix, 1)), value, what))


def exact(digits: str, exponent: int, factor: int) -> int:
    """digits · 10^exponent · factor in integers, rounded down."""
    whole, _, part = digits.partition(".")
    power = exponent - len(part)
    number = int((whole + part) or "0") * factor
    return number * 10**power if power >= 0 else number // 10**-power


def format_size(value: int) -> str:
    """The shortest exact text: 64000000 is `64MB`, 67108864 is `64MiB`."""
    exact_ones = [f"{value // SIZES[s]}{s}" for s in SIZES if s != "KB" and value % SIZES[s] == 0]
    return min(exact_ones, key=len) if value else "0B"


def parse_count(value: Any) -> int:
    """A whole number; `2M` samples are two million."""
    if isinstance(value, float) and not value.is_integer():
        raise Usage(f"{value!r} is not a whole number")
    number = parse_scaled(value, "a count", "1000 or 2M")
    if not number.is_integer():
        raise Usage(f"{value!r} is not a whole number")
    return int(at_least(0, number, value, "a count"))


def format_count(value: int) -> str:
    return format_scaled(value) if value >= 10000 and value % 1000 == 0 else str(value)


def parse_integer(value: Any) -> int:
    try:
        return int(value, 0) if isinstance(value, str) else int(value)
    except (ValueError, TypeError):
        raise Usage(f"{value!r} is not a whole number") from None


def parse_switch(value: Any) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    try:
        return known[str(value).lower()]
    except KeyError:
        raise Usage(f"{value!r} is neither yes nor no") from None


def parse_text(value: Any) -> str:
    text = str(value)
    if "\0" in text:
        raise Usage(f"{text!r} holds a NUL byte")
    return text


def parse_time(value: Any) -> int:
    """A moment as ns UTC: ISO 8601, `14:00` (today), epoch seconds. UTC unless it carries a zone; int is ns already."""
    from sptools.instant import parse

    return parse(value)


def format_time(value: int) -> str:
    from sptools.instant import format

    return format(value)


def parse_range(value: Any) -> tuple[float, float, float]:
    """`A:B:C`: from, to, step, in Hz."""
    parts = list(value) if isinstance(value, tuple | list) else str(value).split(":")
    if len(parts) != 3:
        raise Usage(f"{value!r} is not a range: write from:to:step, like 88M:108M:200k")
    low, high, step = parse_tuned(parts[0]), parse_tuned(parts[1]), parse_hertz(parts[2])
    if high < low or step <= 0:
        raise Usage(f"{value!r} is not a range: {format_scaled(low)} to {format_scaled(high)} by {format_scaled(step)}")
    return low, high, step


def format_range(value: tuple[float, float, float]) -> str:
    return ":".join(map(format_scaled, value))


def parse_list(unit: Unit, value: Any) -> list:
    """`1M,2M,3M` or a list: each one parsed."""
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    return [unit.parse(part.strip() if isinstance(part, str) else part) for part in parts]


HERTZ = Unit("Hertz", "Hz", "FREQ", parse_hertz, format_scaled)
TUNED = Unit("Tuned", "Hz", "FREQ", parse_tuned, format_scaled)
OFFSET = Unit("Offset", "Hz", "OFFSET", parse_offset, format_scaled)
RATE = Unit("Rate", "S/s", "RATE", parse_rate, format_scaled)
DECIBEL = Unit("Decibel", "dB", "dB", parse_decibel, lambda v: shift(v, 0))
GAIN = Unit("Gain", "dB", "dB", parse_gain, format_gain)
SECONDS = Unit("Seconds", "s", "SECONDS", parse_seconds, format_seconds)
SIZE = Unit("Size", "B", "SIZE", parse_size, format_size)
COUNT = Unit("Count", "", "COUNT", parse_count, format_count)
PPM_ = Unit("PPM", "ppm", "PPM", parse_ppm, lambda v: shift(v, 0))
TIME = Unit("Time", "ns", "TIME", parse_time, format_time)
RANGE = Unit("Range", "Hz", "FROM:TO:STEP", parse_range, format_range)
NUMBER_ = Unit("float", "", "NUMBER", parse_number, lambda v: shift(v, 0))
INTEGER = Unit("int", "", "INTEGER", parse_integer, str)
SWITCH = Unit("bool", "", "", parse_switch, lambda v: "true" if v else "false")
LEVEL = Unit("Level", "", "", parse_count, str)
TEXT = Unit("str", "", "TEXT", parse_text, str)
PLACE = Unit("Place", "", "ENDPOINT", parse_text, str)
FILE = Unit("File", "", "FILE", parse_text, str)
NAME = Unit("Name", "", "NAME", parse_text, str)

Hertz = Annotated[float, HERTZ]
Tuned = Annotated[float, TUNED]  # a receiver's frequency
Offset = Annotated[float, OFFSET]
Rate = Annotated[float, RATE]
Decibel = Annotated[float, DECIBEL]
Gain = Annotated[float, GAIN]  # NaN: auto
Seconds = Annotated[float, SECONDS]
Size = Annotated[int, SIZE]
Count = Annotated[int, COUNT]
PPM = Annotated[float, PPM_]
Time = Annotated[int, TIME]  # ns UTC
Range = Annotated[tuple[float, float, float], RANGE]  # from, to, step
Level = Annotated[int, LEVEL]  # how often a flag stands: -vv
Text = Annotated[str, TEXT]
Place = Annotated[str, PLACE]  # an endpoint
File = Annotated[str, FILE]
Name = Annotated[str, NAME]

# What `describe` finds under the names that stand in a signature.
UNITS: dict[str, Unit] = {
    "Hertz": HERTZ, "Tuned": TUNED, "Offset": OFFSET, "Rate": RATE, "Decibel": DECIBEL, "Gain": GAIN,
    "Seconds": SECONDS, "Size": SIZE, "Count": COUNT, "PPM": PPM_, "Time": TIME, "Range": RANGE, "Level": LEVEL, "Text": TEXT,
    "Place": PLACE, "File": FILE, "Name": NAME, "float": NUMBER_, "int": INTEGER, "bool": SWITCH, "str": TEXT,
}  # fmt: skip
