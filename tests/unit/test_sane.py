"""What cannot be is left out, counted as a gap, and told at the end; what is odd stays."""

from dataclasses import replace

import numpy as np
import pytest

from sptools import sane
from sptools.cut import last
from sptools.errors import BadData, Unavailable
from sptools.limits import HERTZ, TIME_ns
from sptools.record import IQ, Message, Rows, Spectrum, Start

NOW = 1_767_322_800_000_000_000


def block(**fields):
    return IQ(**{"time": NOW, "sample": 0, "rate": 1e6, "freq": 100e6, "data": bytes(2000)} | fields)


@pytest.mark.parametrize(
    "good", [{}, {"rate": HERTZ}, {"freq": -HERTZ}, {"sample": 2**62 - 1}, {"channels": 1000}, {"data": b""}], ids=str
)
def test_believed(good):
    assert sane.doubt(block(**good)) == ""


@pytest.mark.parametrize(
    "bad, says",
    [
        ({"rate": np.nextafter(HERTZ, np.inf)}, "rate"), ({"freq": 1.001 * HERTZ}, "frequency"), ({"rate": float("nan")}, "nan"),
        ({"sample": 2**62}, "sample"), ({"time": int(TIME_ns)}, "time"), ({"channels": 1025, "data": bytes(2050)}, "1025"),
        ({"datatype": "cf16"}, "cf16"), ({"datatype": ""}, "datatype"), ({"data": bytes(2001)}, "2001 bytes"),
    ],
)  # fmt: skip
def test_not_believed(bad, says):
    assert says in sane.doubt(block(**bad))


def test_the_rest_goes_on_and_the_end_tells():
    items = [Start({}), block(), block(rate=-1.0), block(rate=0.0), Rows([{"a": 1}]), block(sample=5)]
    got = []
    with pytest.raises(BadData, match=r"x: 2 blocks left out that cannot be, the first with a rate of -1 samples/s"):
        for item in sane.checked(iter(items), "x"):
            got.append(item)
    assert got == [items[i] for i in (0, 1, 4, 5)]


def test_other_records():
    spectrum = Spectrum(NOW, 0, 1e6, 0.0, 1e6, 1e3, 1, "hann", "mean", b"")
    message = Message(NOW, 0, 0.0, 0.0, "x", "", "none")
    assert not sane.doubt(spectrum) and not sane.doubt(message)
    assert "rate" in sane.doubt(replace(spectrum, rate=0.0))
    assert "sample" in sane.doubt(replace(message, sample=-(2**63)))


def test_an_error_of_the_input_is_told_too():
    def damaged():
        yield block(rate=0.0)
        raise BadData("cut off")

    with pytest.raises(BadData, match=r"a rate of 0.*And cut off"):
        list(sane.checked(damaged(), "x"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none(value):
    x = np.zeros(2000, "<f4")
    assert sane.not_finite(block(datatype="cf32_le", data=x)) == ""
    x[41] = value
    assert sane.not_finite(block(datatype="cf32_le", data=x, sample=100)) == f"{value} at sample 120"
    assert sane.not_finite(block(datatype="cf32_le", data=np.full(2000, 3e38, "<f4"))) == ""  # its square is none
    assert sane.not_finite(block()) == "" and sane.not_finite(block(datatype="cf32_le")) == ""


@pytest.mark.parametrize("error", [BadData, Unavailable])
def test_last_keeps_what_came_before_an_error(error):
    def broken():
        yield Start({})
        yield block()
        raise error("gone")

    got = []
    with pytest.raises(error):
        for item in last(broken(), 1.0):
            got.append(item)
    assert [type(item) for item in got] == [Start, IQ]
