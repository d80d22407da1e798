"""Units: what a text means, and that `format` is the inverse of `parse`."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sptools import units as u
from sptools.errors import Usage

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    "unit, text, value",
    [
        (u.HERTZ, "88.1M", 88.1e6), (u.HERTZ, "250k", 250e3), (u.HERTZ, "12.5kHz", 12500), (u.HERTZ, "1e6", 1e6),
        (u.HERTZ, "1.09G", 1.09e9), (u.HERTZ, "0.0997", 0.0997), (u.HERTZ, "99.7MHz", 99.7e6), (u.HERTZ, 7, 7.0),
        (u.OFFSET, "-250k", -250e3), (u.RATE, "2.4M", 2.4e6), (u.RATE, "2.4MS/s", 2.4e6), (u.DECIBEL, "-20", -20),
        (u.DECIBEL, "20dB", 20), (u.GAIN, "29.7", 29.7), (u.PPM_, "-1.5ppm", -1.5), (u.SECONDS, "20ms", 0.02),
        (u.SECONDS, "10", 10), (u.SECONDS, "5m", 300), (u.SECONDS, "1h", 3600), (u.SECONDS, "2d", 172800),
        (u.SIZE, "64MB", 64_000_000), (u.SIZE, "64MiB", 1 << 26), (u.SIZE, "1.5kB", 1500), (u.SIZE, "9B", 9),
        (u.COUNT, "2M", 2_000_000), (u.COUNT, "17", 17), (u.RANGE, "88M:108M:200k", (88e6, 108e6, 200e3)),
        (u.TIME, "1714564800", 1714564800_000000000), (u.TIME, "1714564800.000000001", 1714564800_000000001),
        (u.TIME, "2024-05-01T12:00:00Z", 1714564800_000000000), (u.TIME, "2024-05-01 12:00", 1714564800_000000000),
        (u.TIME, "2024-05-01T14:00:00.25+02:00", 1714564800_250000000), (u.TIME, 5, 5), (u.SWITCH, "yes", True),
    ],
)  # fmt: skip
def test_a_text_has_one_meaning(unit, text, value):
    assert unit.parse(text) == value
    assert type(unit.parse(text)) is type(unit.parse(unit.format(value)))


@pytest.mark.parametrize(
    "unit, text, said",
    [
        (u.HERTZ, "99.7m", ["'99.7m'", "milli (0.0997)", "mega (99.7M)"]),
        (u.HERTZ, "99.7mHz", ["milli", "99.7MHz"]),
        (u.SIZE, "5M", ["'5M'", "5MB (5,000,000", "5MiB (5,242,880"]),
        (u.SIZE, "5", ["5B"]),
        (u.SECONDS, "5M", ["months or minutes", "5m"]),
        (u.HERTZ, "x", ["'x'", "99.7M"]),
        (u.HERTZ, "-5", ["below 0"]),
        (u.HERTZ, "1e999", ["not a frequency"]),
        (u.HERTZ, "nan", ["'nan'"]),
        (u.RATE, "0", ["above 0"]),
        (u.COUNT, "1.5", ["whole"]),
        (u.COUNT, True, ["True"]),
        (u.TIME, "25:00", ["'25:00'"]),
        (u.TIME, "yesterday", ["14:00"]),
        (u.RANGE, "1M:2M", ["from:to:step"]),
        (u.RANGE, "2M:1M:1k", ["2M to 1M"]),
        (u.SIZE, "9" * 5000 + "B", ["not a size"]),
        (u.SWITCH, "maybe", ["'maybe'"]),
    ],
)
def test_a_bad_text_is_shown_with_what_it_could_mean(unit, text, said):
    with pytest.raises(Usage) as error:
        unit.parse(text)
    for part in said:
        assert part in str(error.value)


@given(FINITE)
def test_scaled_text_is_exact(value):
    assert u.OFFSET.parse(u.OFFSET.format(value)) == value


@given(FINITE.map(abs))
def test_seconds_round_trip(value):
    assert math.isclose(u.SECONDS.parse(u.SECONDS.format(value)), value, rel_tol=1e-15, abs_tol=0)


@given(st.integers(0, 1 << 62))
def test_sizes_and_counts_round_trip(value):
    assert u.SIZE.parse(u.SIZE.format(value)) == value
    if value < 1 << 53:
        assert u.COUNT.parse(u.COUNT.format(value)) == value


@given(st.integers(-(2**62), 2**62))
def test_times_round_trip_to_the_nanosecond(value):
    assert u.TIME.parse(u.TIME.format(value)) == value


def test_the_clock_alone_is_today_in_utc():
    text = u.TIME.format(u.TIME.parse("14:00"))
    assert text.endswith("T14:00:00Z")
    assert u.TIME.parse("14:00+02:00") == u.TIME.parse("12:00")


def test_gain_auto_is_nan_both_ways():
    assert math.isnan(u.GAIN.parse("auto")) and u.GAIN.format(float("nan")) == "auto"


def test_formats_are_what_people_write():
    assert [u.HERTZ.format(v) for v in (99.7e6, 250e3, 1.766e9, 440, 0)] == ["99.7M", "250k", "1.766G", "440", "0"]
    assert [u.SECONDS.format(v) for v in (0.02, 90, 300, 86400)] == ["20ms", "90s", "5m", "1d"]
    assert [u.SIZE.format(v) for v in (64_000_000, 1 << 26, 5, 0)] == ["64MB", "64MiB", "5B", "0B"]


def test_a_list_is_parsed_one_by_one():
    assert u.parse_list(u.HERTZ, "1M, 2M") == [1e6, 2e6]


@given(st.text())
def test_any_text_parses_or_is_a_usage_error(text):
    for unit in set(u.UNITS.values()):
        try:
            unit.parse(text)
        except Usage:
            pass
