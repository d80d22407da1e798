"""Time: exact in integers, stepped only when it is off, never backwards inside an anchor."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sptools.clock import SECOND, WINDOW, Clock, STEP_ns, discipline, span

T0 = 1_700_000_000 * SECOND


@given(n=st.integers(-(10**15), 10**15), rate=st.sampled_from([2.4e6, 2.048e6, 1e6 / 3, 48000.0, 2399999.95]))
def test_span_is_the_exact_quotient_rounded(n, rate):
    assert abs(Fraction(n) * SECOND / Fraction(rate) - span(n, rate)) <= Fraction(1, 2)


def test_flat_out_time_runs_by_samples_alone():
    clock = Clock(2.4e6, live=False, start=T0)
    assert clock.stamp(0, 100) == T0
    assert clock.stamp(24_000_000, 100) == T0 + 10 * SECOND


def test_lateness_does_not_move_time():
    clock, n = Clock(1e6, live=True), 20_000
    first = clock.stamp(0, n, T0)
    assert first == T0 - 20_000_000
    for i in range(1, 200):
        late = 15_000_000 if i % 3 else 0
        assert clock.stamp(i * n, n, T0 + i * 20_000_000 + late) == first + i * 20_000_000
    assert clock.steps == 0


@pytest.mark.parametrize("off", [STEP_ns * 2, -STEP_ns * 2])
def test_a_clock_that_steps_is_followed_once_and_samples_go_on(off):
    clock, n = Clock(1e6, live=True), 20_000
    clock.stamp(0, n, T0)
    for i in range(1, 3 * WINDOW):
        time = clock.stamp(i * n, n, T0 + i * 20_000_000 + off)
    assert clock.steps == 1
    assert time == T0 - 20_000_000 + (3 * WINDOW - 1) * 20_000_000 + off


def test_a_crystal_that_drifts_is_corrected_in_steps():
    clock, n = Clock(1e6, live=True), 20_000
    for i in range(20 * WINDOW):  # 20 s at 0.5 %: 100 ms off
        time = clock.stamp(i * n, n, T0 + i * 20_100_000)
        assert abs(time + 20_000_000 - (T0 + i * 20_100_000)) < STEP_ns + WINDOW * 100_000 + 1_000_000
    assert 3 <= clock.steps <= 5


def test_another_rate_joins_without_a_step():
    clock = Clock(1e6, live=False, start=T0)
    clock.stamp(0, 10)
    clock.change_rate(2e6, 1_000_000)
    assert clock.stamp(1_000_000, 10) == T0 + SECOND
    assert clock.stamp(3_000_000, 10) == T0 + 2 * SECOND


def test_the_kernel_says_what_disciplines_the_clock():
    name, error = discipline()
    assert name in ("none", "ntp", "pps")
    assert (error == -1) == (name == "none")
