"""Numbers of frames under loss, repetition and disorder: what was sent is delivered in order, or counted."""

import random

import pytest

from sptools.formats.avro.flow import JUMP, RESTART, WINDOW, Flow, HOLD_s


def run(seqs, first=0, step_s=0.001, end=None):
    """Feeds numbers, each `step_s` after the one before; → (delivered, events, notes)."""
    notes = {}
    flow = Flow(first, notes)
    events = []
    now = 0.0
    for seq in seqs:
        now += step_s
        if flow.deadline is not None and flow.deadline <= now:
            events += flow.release(now)
        events += flow.take(seq, seq, now)
    if end is not None:
        events += flow.reached(end, now)
    events += flow.release(now, end=True)
    return [what for lost, what in events if lost == 0], events, notes


def proxied(n, rng, *, loss, twice, depth):
    """Numbers 0…n−1 through a network that loses, repeats, and lets up to `depth` frames overtake."""
    sent = [(k + rng.uniform(0, depth), k) for k in range(n) if rng.random() >= loss]
    again = [(at + rng.uniform(0, depth), k) for at, k in sent if rng.random() < twice]
    return [k for _, k in sorted(sent + again)], len({k for _, k in sent}), len(again)


def test_in_order():
    assert run(range(5)) == ([0, 1, 2, 3, 4], [(0, k) for k in range(5)], {})


def test_one_overtakes():
    assert run([0, 2, 1, 3])[0] == [0, 1, 2, 3]
    assert run([0, 2, 1, 3])[2] == {}


def test_a_loss_stands_where_it_happened():
    _, events, notes = run([0, 1, 4, 5])
    assert events == [(0, 0), (0, 1), (2, None), (0, 4), (0, 5)] and notes == {"lost_frames": 2}


def test_waiting_ends_after_a_while_or_with_a_window():
    flow = Flow(0, {})
    assert flow.take(1, "b", 10.0) == [] and flow.deadline == 10.0 + HOLD_s
    assert flow.release(10.0 + HOLD_s - 0.001) == []
    assert flow.release(10.0 + HOLD_s) == [(1, None), (0, "b")] and flow.deadline is None
    got, events, _ = run(range(1, WINDOW + 2), step_s=0.0)
    assert events[0] == (1, None) and got == list(range(1, WINDOW + 2))


def test_late_and_repeated_are_told_apart():
    flow = Flow(0, notes := {})
    for seq in (0, 1, 3):
        flow.take(seq, seq, 0.0)
    flow.release(1.0)
    assert flow.take(2, 2, 1.1) == [] and flow.take(1, 1, 1.1) == [] and flow.take(2, 2, 1.2) == []
    assert notes == {"lost_frames": 1, "late": 1, "repeated": 2}


def test_the_sender_tells_of_a_loss_at_the_end():
    _, events, notes = run([0, 1, 2], end=5)
    assert events[-1] == (2, None) and notes == {"lost_frames": 2}


@pytest.mark.parametrize("back", [0, 100])
def test_a_sender_that_goes_back_begins_anew(back):
    again = [back, back + 1, back + 2, back + 3, back + 4]
    got, events, notes = run([500, 501, 502, *again], first=500)
    assert got == [500, 501, 502, *again]
    assert (RESTART, back) in events and notes == {}


def test_a_sender_that_says_so_begins_anew_at_once():
    flow = Flow(500, notes := {})
    flow.take(500, "a", 0.0)
    assert flow.reached(0, 0.1) == []
    assert flow.take(0, "b", 0.1) == [(RESTART, 0), (0, "b")] and notes == {}


def test_stragglers_do_not_begin_anew():
    got, _, notes = run([500, 501, 7, 8, 502, 9, 11, 503, 20], first=500)
    assert got == [500, 501, 502, 503] and notes == {"late": 5}


def test_an_absurd_jump_begins_anew():
    got, events, notes = run([0, 1, JUMP + 5, JUMP + 6])
    assert got == [0, 1, JUMP + 5, JUMP + 6] and (RESTART, JUMP + 5) in events and notes == {}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("loss", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("depth", [0, 8, 30])
def test_sent_is_delivered_or_counted(seed, loss, depth):
    rng = random.Random(seed)
    seqs, arrived, again = proxied(2000, rng, loss=loss, twice=0.1, depth=depth)
    got, _, notes = run(seqs, step_s=1e-4, end=2000)
    assert got == sorted(set(got)), "in order, once"
    assert len(got) == arrived and notes.get("late", 0) == 0  # nothing overtook by more than the window
    assert len(got) + notes.get("lost_frames", 0) == 2000
    assert notes.get("repeated", 0) == again


@pytest.mark.parametrize("seed", range(5))
def test_beyond_the_window_it_is_late_and_counted(seed):
    rng = random.Random(seed)
    seqs, arrived, _ = proxied(5000, rng, loss=0.1, twice=0.0, depth=300)
    got, _, notes = run(seqs, step_s=1e-4, end=5000)
    assert got == sorted(set(got))
    assert len(got) + notes["lost_frames"] == 5000
    assert len(got) + notes["late"] + notes.get("repeated", 0) == arrived
