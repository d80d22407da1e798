"""The disk spool: order, acknowledgement, restart, bounds; and the courier that carries it away."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from avro_memory import got, iq, rows

from sptools import errors, record
from sptools.formats.avro.writer import Sink
from sptools.spool.courier import Courier
from sptools.spool.cursor import Cursor
from sptools.spool.store import Spool
from sptools.transports.tcp import dial

SCHEMA = {"type": "record", "name": "temp", "fields": [{"name": "n", "type": "long"}, {"name": "pad", "type": "bytes"}]}


def telemetry(n, first=0, size=1000, boot=b"bootboot", channel="rig/temp"):
    """A header, then `n` items of one row of about `size` bytes."""
    yield record.Start(SCHEMA, channel, boot, first)
    for i in range(n):
        yield record.Rows([{"n": first + i, "pad": bytes(size)}])


def fill(spool, items):
    """One item, one block."""
    sink = Sink(spool)
    for item in items:
        sink.put(item)
        sink.flush()
    return sink


def taken(spool, most=1 << 18):
    """What a cursor gives until there is no more: bytes, entries."""
    cursor, data, entries = Cursor(spool), b"", []
    while True:
        pieces, some = cursor.take(most)
        if not some:
            cursor.close()
            return data, entries
        data += b"".join(pieces)
        entries += some


def numbers(data):
    items, problem = got(data)
    assert problem is None
    return [row["n"] for item in items if isinstance(item, record.Rows) for row in item.values if "n" in row]


def test_gives_back_what_it_got(tmp_path):
    spool = Spool(str(tmp_path / "s"), 10**8)
    items = [*iq(20, 5000), *rows(100), *telemetry(50)]
    fill(spool, items)
    data, entries = taken(spool)
    assert len(entries) == sum(not isinstance(i, record.Start) for i in items)
    items, problem = got(data)
    assert problem is None and sum(i.count for i in items if isinstance(i, record.IQ)) == 20 * 5000
    assert numbers(data)[-50:] == list(range(50))
    assert taken(spool, 100) == (data, entries), "however little is read at once"


@pytest.mark.parametrize("at", [0, 1, 7, 98, 99])
def test_goes_on_at_the_first_block_that_is_not_acknowledged(tmp_path, at):
    spool = Spool(str(tmp_path / "s"), 10**8)
    fill(spool, telemetry(100))
    _, entries = taken(spool)
    spool.acked(entries[at].segment, entries[at].end)
    data, rest = taken(spool)
    assert [e.number for e in rest] == list(range(at + 1, 100))
    if rest:
        assert numbers(data) == list(range(at + 1, 100))
        assert got(data)[0][0].first == at + 1
    assert spool.empty == (at == 99)


def test_segments_go_when_all_of_them_is_acknowledged(tmp_path):
    spool = Spool(str(tmp_path / "s"), 80_000)
    fill(spool, telemetry(60))
    names = sorted(p.name for p in (tmp_path / "s").glob("*.avro"))
    assert len(names) > 5
    _, entries = taken(spool)
    for entry in entries:
        spool.acked(entry.segment, entry.end)
    assert len(list((tmp_path / "s").glob("*.avro"))) == 1
    spool.release()
    assert not list((tmp_path / "s").glob("*.avro"))


def test_a_segment_is_a_container_that_any_tool_reads(tmp_path):
    import fastavro

    spool = Spool(str(tmp_path / "s"), 10**8)
    fill(spool, telemetry(10))
    with open(next((tmp_path / "s").glob("*.avro")), "rb") as file:
        assert [r["n"] for r in fastavro.reader(file)] == list(range(10))


def test_survives_a_restart(tmp_path):
    spool = Spool(str(tmp_path / "s"), 10**8)
    fill(spool, telemetry(40))
    entries = taken(spool)[1]
    spool.acked(entries[9].segment, entries[9].end)
    spool.answered()
    spool.close()
    spool.release()
    again = Spool(str(tmp_path / "s"), 10**8)
    assert again.answers
    fill(again, telemetry(5, first=40))
    assert numbers(taken(again)[0]) == list(range(10, 45))


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 500, 1030, 1500])
def test_a_torn_tail_costs_its_block(tmp_path, cut):
    spool = Spool(str(tmp_path / "s"), 10**8)
    fill(spool, telemetry(20))
    spool.release()
    path = next((tmp_path / "s").glob("*.avro"))
    os.truncate(path, path.stat().st_size - cut)
    again = Spool(str(tmp_path / "s"), 10**8)
    left = 19 if cut < 1023 else 18
    fill(again, telemetry(2, first=100))
    assert numbers(taken(again)[0]) == [*range(left), 100, 101]


def test_a_second_process_is_refused(tmp_path):
    spool = Spool(str(tmp_path / "s"), 10**6)
    with pytest.raises(errors.CannotCreate, match="in use"):
        Spool(str(tmp_path / "s"), 10**6)
    spool.release()
    Spool(str(tmp_path / "s"), 10**6).release()


def test_kill_9_loses_no_block_that_was_taken(tmp_path):
    """The writer says each number once `block` has returned; it is killed in the middle of it."""
    code = (
        "import sys\nsys.path.insert(0, sys.argv[2])\n"
        "from test_spool import telemetry, Sink, Spool\n"
        "sink = Sink(Spool(sys.argv[1], 10**8))\n"
        "for item in telemetry(10**6):\n"
        "    sink.put(item); sink.flush()\n"
        "    if hasattr(item, 'values'): print(item.values[0]['n'], flush=True)\n"
    )
    p = subprocess.Popen([sys.executable, "-c", code, tmp_path / "s", os.path.dirname(__file__)], stdout=subprocess.PIPE)
    said = [int(p.stdout.readline()) for _ in range(300)]
    p.kill()
    said += [int(line) for line in p.stdout.read().split()]
    p.wait()
    spool = Spool(str(tmp_path / "s"), 10**8)
    found = numbers(taken(spool)[0])
    assert found == list(range(len(found))) and len(found) >= len(said) and said == list(range(len(said)))


# ------------------------------------------------------------ bounds
def test_full_newest_goes(tmp_path):
    spool = Spool(str(tmp_path / "s"), 50_000, "drop-newest")
    sink = fill(spool, telemetry(100))
    data, entries = taken(spool)
    kept = len(entries)
    assert numbers(data) == list(range(kept)) and 35 < kept < 50
    assert spool.notes == {"spool_dropped": 100 - kept, "spool_dropped_rows": 100 - kept}
    spool.acked(entries[-1].segment, entries[-1].end)
    sink.put(record.Rows([{"n": 100, "pad": b""}]))
    sink.flush()
    items = got(taken(spool)[0])[0]
    assert (items[0].first, items[0].lost) == (100, 100 - kept), "the gap is told"


def test_full_oldest_goes(tmp_path):
    spool = Spool(str(tmp_path / "s"), 50_000, "drop-oldest")
    fill(spool, telemetry(100))
    data, entries = taken(spool)
    first = entries[0].number
    assert numbers(data) == list(range(first, 100)) and 50 < first < 70
    start = got(data)[0][0]
    assert (start.first, start.lost) == (first, first)
    assert spool.notes["spool_dropped"] == first
    # told again when the connection broke before it was acknowledged
    assert taken(spool)[0] == data
    assert spool.held <= 50_000


def test_of_samples_the_index_tells(tmp_path):
    spool = Spool(str(tmp_path / "s"), 50_000, "drop-oldest")
    fill(spool, iq(100, 500))
    items, _ = got(taken(spool)[0])
    assert items[0].lost == 0 and items[0].first > 0
    assert items[1].sample == items[0].first * 500


def test_full_block_waits_for_an_acknowledgement(tmp_path):
    spool = Spool(str(tmp_path / "s"), 50_000, "block")
    done = threading.Event()

    def write():
        fill(spool, telemetry(100))
        done.set()

    threading.Thread(target=write, daemon=True).start()
    found = []
    cursor = Cursor(spool)
    assert not done.wait(0.3)
    while not done.is_set() or not spool.empty:
        entries = cursor.take()[1]
        found += [e.number for e in entries]
        assert spool.held <= 50_000
        for entry in entries:
            spool.acked(entry.segment, entry.end)
        time.sleep(0.001)
    assert found == list(range(100)) and spool.notes["spool_dropped"] == 0


def test_a_block_larger_than_the_spool_is_refused(tmp_path):
    spool = Spool(str(tmp_path / "s"), 5_000)
    with pytest.raises(errors.BadConfig, match="--spool-max"):
        fill(spool, telemetry(1, size=6_000))


def test_a_full_disk_is_said_and_leaves_whole_blocks(tmp_path):
    code = (
        "import sys\nsys.path.insert(0, sys.argv[2])\n"
        "from test_spool import *\n"
        "import resource, signal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: fill(Spool(sys.argv[1], 10**8), telemetry(1000))\n"
        "except errors.IOFailure as e: print(e)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "s", os.path.dirname(__file__)], capture_output=True, text=True, timeout=30
    )
    assert "File too large" in done.stdout, done.stderr
    found = numbers(taken(Spool(str(tmp_path / "s"), 10**8))[0])
    assert found == list(range(len(found))) and len(found) > 80


# ------------------------------------------------------------ the courier
class Peer(threading.Thread):
    """Takes connections one after the other; `each(connection, n)` does with the n-th what a test wants."""

    def __init__(self, each):
        super().__init__(daemon=True)
        self.each = each
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"//127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = []
        self.start()

    def run(self):
        n = 0
        while True:
            sock, _ = self.listener.accept()
            self.received.append(b"")
            try:
                self.each(self, sock, n)
            except OSError:
                pass
            sock.close()
            n += 1

    def take(self, sock, size=65536):
        data = sock.recv(size)
        self.received[-1] += data
        return data


def ack(boot, number):
    return struct.pack(">8sQ", boot, number)


def finish(courier, seconds=15):
    courier.join(seconds)
    assert not courier.is_alive()


def test_delivers_to_a_peer_that_never_answers(tmp_path):
    def each(peer, sock, n):
        while peer.take(sock):
            pass

    peer = Peer(each)
    spool = Spool(str(tmp_path / "s"), 10**7)
    courier = Courier(spool, dial(peer.place))
    courier.start()
    fill(spool, telemetry(200)).close()
    finish(courier)
    assert courier.failure is None and courier.unconfirmed == 200 and spool.empty
    assert numbers(peer.received[0]) == list(range(200))


def test_sends_again_what_was_not_acknowledged(tmp_path):
    """The peer answers 50 blocks and dies; what it had beyond them comes again, in a container that begins with 50."""

    def each(peer, sock, n):
        if n == 0:
            while len(peer.received[-1]) < 100_000:
                peer.take(sock)
            for number in range(50):
                sock.sendall(ack(b"bootboot", number))
            time.sleep(0.2)
            return
        sock.sendall(ack(b"bootboot", (50 - 1)))
        while len(peer.received[-1]) < 150 * 1020:
            peer.take(sock)
        for number in range(50, 200):
            sock.sendall(ack(b"bootboot", number))
        while peer.take(sock):
            pass

    peer = Peer(each)
    spool = Spool(str(tmp_path / "s"), 10**7)
    courier = Courier(spool, dial(peer.place))
    courier.start()
    fill(spool, telemetry(200)).close()
    finish(courier)
    assert courier.failure is None and spool.empty and courier.unconfirmed == 0
    assert numbers(peer.received[1]) == list(range(50, 200))


def test_channels_of_one_boot_and_number_wait_for_all_answers(tmp_path):
    """(boot, number) names two blocks here: one answer is not enough to let the first one go."""
    answered = threading.Event()

    def each(peer, sock, n):
        while peer.received[-1].count(b"Obj\x01") < 2:
            peer.take(sock)
        sock.sendall(ack(b"bootboot", 0))
        time.sleep(0.3)
        answered.set()
        peer.more.wait(5)
        sock.sendall(ack(b"bootboot", 0))
        while peer.take(sock):
            pass

    peer = Peer(each)
    peer.more = threading.Event()
    spool = Spool(str(tmp_path / "s"), 10**7)
    courier = Courier(spool, dial(peer.place))
    courier.start()
    fill(spool, [*telemetry(1, channel="a"), *telemetry(1, channel="b")]).close()
    assert answered.wait(5) and courier.delivered == 0
    peer.more.set()
    finish(courier)
    assert courier.delivered == 2 and spool.empty


def test_a_silent_peer_that_stays_gets_the_stream_as_it_is(tmp_path, monkeypatch):
    """It never answers and never closes: after a while what it took counts, so that a small spool does not fill up."""
    monkeypatch.setattr("sptools.spool.courier.SILENT_s", 0.2)

    def each(peer, sock, n):
        while peer.take(sock):
            pass
        peer.over.wait(20)

    peer = Peer(each)
    peer.over = threading.Event()
    spool = Spool(str(tmp_path / "s"), 50_000)
    courier = Courier(spool, dial(peer.place))
    courier.start()
    fill(spool, telemetry(300)).close()
    finish(courier)
    peer.over.set()
    assert spool.empty and courier.unconfirmed == 300 and courier.connections == 1
    assert numbers(peer.received[0]) == list(range(300))


def test_answers_come_in_any_pieces_and_foreign_ones_mean_nothing(tmp_path):
    def each(peer, sock, n):
        while len(peer.received[-1]) < 20 * 1020:
            peer.take(sock)
        answers = ack(b"nobodys!", 3) + b"".join(ack(b"bootboot", i) for i in reversed(range(20)))
        for i in range(0, len(answers), 7):
            sock.sendall(answers[i : i + 7])
            time.sleep(0.002)
        while peer.take(sock):
            pass

    peer = Peer(each)
    spool = Spool(str(tmp_path / "s"), 10**6)
    courier = Courier(spool, dial(peer.place))
    courier.start()
    fill(spool, telemetry(20)).close()
    finish(courier)
    assert spool.empty and courier.delivered == 20 and courier.unconfirmed == 0


def test_pauses_grow_with_jitter(tmp_path, monkeypatch):
    spool = Spool(str(tmp_path / "s"), 10**6)
    courier = Courier(spool, dial("//127.0.0.1:1"))
    waits = []
    monkeypatch.setattr(courier._idle, "is_set", lambda: True)
    monkeypatch.setattr("sptools.spool.courier.random.uniform", lambda a, b: waits.append((a, b)) or a)
    for _ in range(9):
        courier._pause(errors.Unavailable("gone"))
    assert waits[:3] == [(0.25, 0.5), (0.5, 1.0), (1.0, 2.0)] and waits[-1] == (15.0, 30.0)


def test_fail_fast(tmp_path):
    spool = Spool(str(tmp_path / "s"), 10**6)
    courier = Courier(spool, dial("//127.0.0.1:1"), fail_fast=True)
    courier.start()
    finish(courier)
    assert isinstance(courier.failure, errors.Unavailable)
    with pytest.raises(errors.Unavailable):
        fill(spool, telemetry(1))


def test_keeps_to_a_rate(tmp_path):
    def each(peer, sock, n):
        while peer.take(sock):
            pass

    peer = Peer(each)
    spool = Spool(str(tmp_path / "s"), 10**7)
    courier = Courier(spool, dial(peer.place), rate=200_000)
    fill(spool, telemetry(200)).close()
    begun = time.monotonic()
    courier.start()
    finish(courier)
    assert 0.75 < time.monotonic() - begun < 2.5
    assert len(numbers(peer.received[0])) == 200

