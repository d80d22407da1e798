"""Frames in arrays: the same groups, numbers and bodies as one by one."""

import numpy as np
import pytest

from sptools.formats.avro import flow, frame
from sptools.relay import frames
from sptools.relay.follow import Follow

SCHEMA = bytes(range(8))


def datagram(channel, seq, body, *, boot=b"bootboot", count=1, schema=SCHEMA):
    return frame.head(frame.begin(channel), boot, seq, schema, count, len(body)) + body


def table(datagrams):
    return np.frombuffer(b"".join(datagrams), np.uint8).reshape(1, len(datagrams), -1)


def flat(rows):
    """(channel, boot, seq, count, body) of every frame, by channel and boot in the order of arrival."""
    found = {}
    for group in frames.groups(rows):
        if isinstance(group, list):
            for data in group:
                f = frame.decode(data)
                found.setdefault((f.channel, f.boot), []).append((f.seq, f.count, bytes(f.body)))
        else:
            first = group.first
            for seq, body in zip(group.seqs, group.bodies.reshape(-1), strict=True):
                found.setdefault((first.channel, first.boot), []).append((int(seq), first.count, body.tobytes()))
    return found


@pytest.mark.parametrize("size", [1, 63, 64, 200, 9000])
@pytest.mark.parametrize("name", ["", "rig", "a" * 63 + "/" + "b" * 63])
def test_one_channel_is_one_group(size, name):
    rows = table([datagram(name, 7 + i, bytes([i]) * size, count=70) for i in range(20)])
    assert frames.marked(rows) is None
    (group,) = frames.groups(rows)
    assert group.first.channel == name and group.first.count == 70
    assert group.seqs.tolist() == list(range(7, 27))
    assert [b.tobytes() for b in group.bodies.ravel()] == [bytes([i]) * size for i in range(20)]


def test_trains_stay_in_their_slots():
    data = np.zeros((3, 4096), np.uint8)
    one = [datagram("rig", i, bytes([i]) * 30) for i in range(30)]
    size = len(one[0])
    for slot in range(3):
        data[slot, : 10 * size] = np.frombuffer(b"".join(one[slot * 10 : slot * 10 + 10]), np.uint8)
    rows = np.lib.stride_tricks.as_strided(data, (3, 10, size), (4096, size, 1))
    (group,) = frames.groups(rows)
    assert group.bodies.shape == (3, 10)
    assert group.seqs.tolist() == list(range(30))


@pytest.mark.parametrize("seed", range(4))
def test_mixed_channels_keep_their_order(seed):
    rng = np.random.default_rng(seed)
    sources = [("ab", b"11111111"), ("cd", b"22222222"), ("ab", b"33333333"), ("x/y"[:2] + "", b"44444444")]
    sources[3] = ("xy", b"44444444")
    expected, made, numbers = {}, [], [0] * 4
    for k in rng.choice(4, 200, p=[0.5, 0.3, 0.17, 0.03]):
        name, boot = sources[k]
        body = rng.bytes(40)
        made.append(datagram(name, numbers[k], body, boot=boot))
        expected.setdefault((name, boot), []).append((numbers[k], 1, body))
        numbers[k] += 1
    assert flat(table(made)) == expected


def test_what_is_no_frame_among_them():
    made = [datagram("rig", i, bytes(50)) for i in range(20)]
    made[0] = made[5] = frame.MARK + b"\xff" * (len(made[0]) - 10)
    odd, good = [], []
    for group in frames.groups(table(made)):
        if isinstance(group, list):
            odd += group
        else:
            good += group.seqs.tolist()
    assert sorted(good) == [i for i in range(20) if i not in (0, 5)]
    assert odd == [made[0]] * 2


def test_many_kinds_end():
    made = [datagram(f"c{i:03}", 0, bytes(30)) for i in range(300)]
    assert len(flat(table(made))) == 300


def test_marked():
    made = [datagram("rig", i, bytes(50)) for i in range(4)]
    made[2] = bytes(len(made[0]))
    assert frames.marked(table(made)).tolist() == [[True, True, False, True]]
    assert frames.marked(np.zeros((1, 3, 5), np.uint8)).tolist() == [[False] * 3]


@pytest.mark.parametrize("seed", range(20))
def test_a_batch_of_numbers_is_followed_as_one_by_one(seed):
    """Losses, repeats and disorder: the same events and counts as from the follower of single frames."""
    rng = np.random.default_rng(seed)
    seqs = [i for i in range(600) if rng.random() > 0.03]
    for _ in range(rng.integers(0, 12)):
        i = int(rng.integers(0, len(seqs) - 12))
        seqs.insert(i + int(rng.integers(1, 12)), seqs[i] if rng.random() < 0.5 else seqs.pop(i))
    counts, theirs = {}, {}
    ours, single = Follow(0, counts), flow.Flow(0, theirs)
    delivered, expected, now = [], [], 0.0
    at = 0
    while at < len(seqs):
        n = int(rng.integers(1, 120))
        batch, now = np.array(seqs[at : at + n]), now + 0.01
        for part in ours.many(batch, lambda i, batch=batch: int(batch[i]), now):
            if isinstance(part, tuple):
                delivered += [(0, int(seq)) for seq in batch[part[0] : part[1]]]
            else:
                delivered += part
        for seq in batch.tolist():
            expected += single.take(seq, seq, now)
        at += n
    delivered += ours.release(now + 1, end=True)
    expected += single.release(now + 1, end=True)
    assert delivered == expected and counts == theirs
    stored = sum(1 for lost, _ in delivered if not lost)
    assert stored + counts.get("lost_frames", 0) == max(seqs) + 1
