"""Plans: whatever the rates, the ratio is exact and every filter gets whole rows."""

from fractions import Fraction
from math import prod

import pytest

from sptools.dsp.resample import factors, plan, rational
from sptools.errors import RateTooLow

RATES = [200e3, 240e3, 250e3, 900_001, 1e6, 1.024e6, 1.2e6, 1.8e6, 1.92e6, 2.048e6, 2.4e6, 2.56e6, 2.88e6, 3.2e6]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("wanted", [8e3, 32e3, 44.1e3, 48e3, 192e3])
def test_plan(rate, wanted):
    p = plan("wbfm", rate, wanted, 84e3, 97e3, 180e3, 1.4e-3, 0.03)
    total = prod(p.downs)
    assert p.ratio == Fraction(p.up, p.down * total)
    assert float(p.ratio) * rate == pytest.approx(wanted, rel=2e-6)
    assert p.rate == rate / total >= 180e3
    assert p.chunk % p.hop == 0
    assert p.hop % (total * p.down * p.rows) == 0
    assert p.chunk <= max(0.03 * rate, p.hop)


def test_common_rates_are_exact():
    assert rational(2.4e6, 48e3) == Fraction(1, 50)
    assert rational(1.024e6, 44.1e3) == Fraction(441, 10240)


def test_latency_bounds_the_chunk():
    assert plan("wbfm", 2.4e6, 48e3, 100e3, 140e3, 180e3, 1e-3, 0.01).chunk <= 24_000
    assert plan("wbfm", 2.4e6, 48e3, 100e3, 140e3, 180e3, 1e-3, 0.002).chunk <= 4800


def test_too_low_a_rate():
    with pytest.raises(RateTooLow, match="wbfm needs at least 180k samples/s, the input has 48k"):
        plan("wbfm", 48e3, 48e3, 20e3, 24e3, 180e3, 1e-3, 0.01)


def test_factors_multiply_up():
    for total in (1, 2, 7, 10, 60, 66, 133):
        assert all(prod(f) == total for f in factors(total))
    assert (5, 2) in factors(10)
