"""Continuation, gap or new start: the rule of the header's boot and first, and of `sample`."""

from sptools.continuity import Continuity
from sptools.record import IQ, Message, Rows, Start

A, B = b"a" * 8, b"b" * 8


def start(boot=A, first=0, lost=0):
    return Start({"name": "sptools.IQ"}, "n/c", boot, first, lost)


def block(sample, count=10):
    return IQ(time=0, sample=sample, rate=1e6, datatype="cu8", data=bytes(2 * count))


def verdicts(*items):
    follow = Continuity()
    return [follow.see(item) for item in items]


def test_samples_tell():
    assert verdicts(start(), block(0), block(10), block(25), block(35)) == [
        ("start", 0), ("start", 0), ("go", 0), ("gap", 5), ("go", 0),
    ]  # fmt: skip


def test_the_first_block_may_have_any_number():
    assert verdicts(start(), block(12345))[1] == ("start", 0)


def test_a_rotation_is_continuous():
    assert verdicts(start(), block(0), start(first=1), block(10))[2:] == [("go", 0), ("go", 0)]


def test_a_later_number_is_a_gap_and_sample_says_how_long():
    assert verdicts(start(), block(0), start(first=3), block(30))[2:] == [("gap", 0), ("gap", 20)]


def test_another_boot_is_a_new_start_and_no_loss():
    assert verdicts(start(), block(0), start(B), block(500))[2:] == [("start", 0), ("start", 0)]


def test_a_repeat_is_a_new_start():
    assert verdicts(start(), block(0), block(10), start(), block(0))[3:] == [("start", 0), ("start", 0)]


def test_foreign_containers_without_boot_start_anew():
    assert verdicts(start(b""), block(0), start(b""), block(10))[2:] == [("start", 0), ("start", 0)]


def test_rows_show_loss_in_the_header():
    assert verdicts(start(), Rows([{"time": 1}]), start(first=5, lost=7), Rows([{"time": 2}]))[2:] == [("gap", 7), ("go", 0)]


def test_messages_have_no_gaps_of_their_own():
    message = Message(0, 5, 0.0, 0.0, "x", "", "crc")
    assert verdicts(start(), message, message)[1:] == [("start", 0), ("go", 0)]
