"""The loss estimate, on simulated clocks: jitter and drift are no loss, a loss is one."""

import numpy as np
import pytest

from sptools.drivers._rtlloss import Shortfall

RATE, BLOCK = 2.4e6, 24_000


def arrivals(seconds, *, drift=0.0, jitter=0.004, seed=1):
    """When blocks arrive: a crystal off by `drift`, each late by up to `jitter` (mean), in order."""
    n = np.arange(int(seconds * RATE / BLOCK))
    rng = np.random.default_rng(seed)
    due = (n + 1) * BLOCK / RATE * (1 + drift)
    return np.maximum.accumulate(due + rng.exponential(jitter, len(n)))


def estimate(times, **keys):
    shortfall = Shortfall(RATE, BLOCK, **keys)
    return np.array([shortfall.arrived(BLOCK, t) for t in times])


@pytest.mark.parametrize("drift", [-150e-6, -20e-6, 0, 20e-6, 150e-6])
def test_ten_minutes_of_drift_and_jitter_are_no_loss(drift):
    assert estimate(arrivals(600, drift=drift)).sum() == 0


def test_a_busy_machine_is_no_loss():
    """Held up for 0.4 s every two seconds, then everything at once."""
    times = arrivals(60)
    held = np.where(times % 2 < 0.4, times - times % 2 + 0.4, times)
    assert estimate(np.maximum.accumulate(held)).sum() == 0


@pytest.mark.parametrize("missing", [0.015, 0.1, 2.9])
def test_a_loss_is_counted_once_within_two_windows(missing):
    times = arrivals(60)
    times[2000:] += missing
    lost = estimate(times)
    assert lost.sum() == pytest.approx(missing * RATE, abs=BLOCK)
    first = np.flatnonzero(lost)[0]
    assert times[2000] <= times[first] <= times[2000] + 1.7


def test_many_small_losses_add_up():
    """A hundred of half a block each, one every half second: what is seen is within two blocks of the truth."""
    times = arrivals(120, jitter=0.001)
    times += 0.005 * np.clip(np.arange(len(times)) // 50 - 20, 0, 100)
    assert estimate(times).sum() == pytest.approx(100 * BLOCK / 2, abs=2.5 * BLOCK)


def test_a_queue_that_drains_again_is_set_off():
    """rtl_tcp's queue holds 5 s for a while, then delivers it all: what was taken for a loss covers a later one."""
    times = arrivals(90)
    times[1000:4000] += 5.0  # late, and stays late
    times = np.where(np.arange(len(times)) < 4000, times, np.maximum(times, times[3999]))
    times[6000:] += 5.0  # now truly lost
    lost = estimate(np.maximum.accumulate(times))
    assert lost.sum() == pytest.approx(5.0 * RATE, abs=2 * BLOCK)


def test_nothing_is_counted_while_it_falls_behind():
    """A source at half its rate is slow, not lossy."""
    assert estimate(arrivals(20) * 2).sum() == 0
