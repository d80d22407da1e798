"""Addresses, what a listener does with slow readers, acknowledgements, and several connections as one stream."""

import socket
import struct
import threading
import time

import pytest
from avro_memory import got, iq

from sptools import errors, record
from sptools.formats import avro
from sptools.merge import Merged
from sptools.transports import tcp, unix
from sptools.transports._stream_inet import Internet

SCHEMA = {"type": "record", "name": "temp", "fields": [{"name": "n", "type": "long"}, {"name": "pad", "type": "bytes"}]}


@pytest.mark.parametrize(
    "place, host, port, listening",
    [
        ("//:7000", "", 7000, True), ("//0.0.0.0:7000", "0.0.0.0", 7000, True), ("//[::]:7", "::", 7, True),
        ("//a.example:7000", "a.example", 7000, False), ("//[::1]:7000", "::1", 7000, False),
        ("//192.0.2.1:1", "192.0.2.1", 1, False), ("//[fe80::1%eth0]:7000", "fe80::1%eth0", 7000, False),
    ],
)  # fmt: skip
def test_addresses(place, host, port, listening):
    found = Internet("tcp", place)
    assert (found.host, found.port, found.listening) == (host, port, listening)
    assert Internet("tcp", place, True).listening


@pytest.mark.parametrize("place", ["", "//", "//host", "//host:", "//host:x", "//host:65536", "//::1:7000", "//[::1]", "host:1"])
def test_no_address(place):
    with pytest.raises(errors.Usage, match="tcp://HOST:PORT"):
        Internet("tcp", place)


def test_nowhere_to_connect_to():
    for place in ("//:7000", "//0.0.0.0:7000"):
        with pytest.raises(errors.Usage, match="which host"):
            Internet("tcp", place, False)


def test_a_path_that_no_socket_can_have():
    with pytest.raises(errors.Usage, match="107 bytes"):
        unix.read("x" * 108)


def reader_of(server, room=4096):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.connect(server._sock.getsockname())
    return sock


def rest(sock):
    data = b""
    while some := sock.recv(1 << 16):
        data += some
    return data


def serve(room):
    return tcp.write("//127.0.0.1:0", listen=True, queue=room)


def joined(server, n):
    end = time.monotonic() + 5
    while len(server.readers) < n:
        assert time.monotonic() < end
        time.sleep(0.005)


def telemetry(sink, first, n):
    for i in range(first, first + n):
        sink.put(record.Rows([{"n": i, "pad": bytes(20_000)}]))
        sink.flush()


def test_a_slow_reader_loses_whole_blocks_and_is_told():
    server = serve(200_000)
    sink = avro.write(server)
    sink.put(record.Start(SCHEMA, "rig", b"bootboot"))
    quick = reader_of(server, 1 << 20)
    joined(server, 1)
    its = server.readers[0]
    slow = reader_of(server)
    joined(server, 2)
    kept = []
    thread = threading.Thread(target=lambda: kept.append(rest(quick)))
    thread.start()
    for i in range(0, 1000, 5):
        telemetry(sink, i, 5)
        while its.size:
            time.sleep(0.0005)
    slow_data = []
    threading.Thread(target=lambda: slow_data.append(rest(slow)), daemon=True).start()
    time.sleep(0.3)
    telemetry(sink, 1000, 5)
    sink.close()
    thread.join(10)
    time.sleep(0.2)

    items, problem = got(kept[0])
    assert problem is None and [i.values[0]["n"] for i in items[1:]] == list(range(1005)) and items[0].first == 0
    items, problem = got(slow_data[0])
    assert problem is None
    expected = lost = 0
    for item in items:
        if isinstance(item, record.Start):
            assert item.first - expected == item.lost, "a hole in the numbers, and its rows"
            lost, expected = lost + item.lost, item.first
        else:
            assert item.values[0]["n"] == expected
            expected += 1
    assert expected == 1005 and lost == server.notes["not_taken"] > 100


def test_a_slow_reader_of_samples_sees_the_index_jump():
    server = serve(200_000)
    sink = avro.write(server)
    items = iq(2000, 5000)
    sink.put(items[0])
    slow = reader_of(server)
    joined(server, 1)
    for item in items[1:-3]:
        sink.put(item)
    data = []
    thread = threading.Thread(target=lambda: data.append(rest(slow)))
    thread.start()
    time.sleep(0.3)
    for item in items[-3:]:
        sink.put(item)
    sink.close()
    thread.join(10)
    found, problem = got(data[0])
    assert problem is None and sum(isinstance(i, record.Start) for i in found) == 1
    samples = [i.sample for i in found[1:]]
    assert samples == sorted(samples) and samples[-1] == 1999 * 5000 and len(samples) < 2000
    assert len(samples) + server.notes["not_taken"] == 2000


def test_a_new_reader_gets_the_header_of_now():
    server = serve(10**6)
    sink = avro.write(server)
    sink.put(record.Start(SCHEMA, "rig", b"bootboot", lost=5))
    telemetry(sink, 0, 7)
    late = reader_of(server)
    joined(server, 1)
    telemetry(sink, 7, 2)
    data = []
    thread = threading.Thread(target=lambda: data.append(rest(late)))
    thread.start()
    sink.close()
    thread.join(10)
    items, problem = got(data[0])
    assert problem is None and (items[0].first, items[0].lost) == (7, 0)
    assert [i.values[0]["n"] for i in items[1:]] == [7, 8]


def test_an_acknowledgement_is_16_bytes():
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = tcp.read(f"//127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        source.ack(b"bootboot", 258)
        source.ack(b"bootboot", -1)
        assert peer.recv(100) == b"bootboot" + b"\0" * 6 + b"\1\2" + b"bootboot" + b"\xff" * 8
        # a peer that never reads them is given up, not waited for
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(errors.Unavailable, match="acknowledgements"):
            for number in range(2_000_000):
                source.ack(b"bootboot", number)
        source.close()
        peer.close()


def test_two_connections_as_one_stream():
    """Headers where the stream turns, numbered so that nothing looks lost or begun anew."""
    listener = tcp.read("//127.0.0.1:0", listen=True)
    merged = iter(Merged(listener, avro.read))
    place = f"//{listener.sock.getsockname()[0]}:{listener.sock.getsockname()[1]}"
    found = []
    sinks = []
    for channel in ("a", "b"):
        sink = avro.write(tcp.write(place))
        sink.put(record.Start(SCHEMA, channel, channel.encode() * 8))
        sinks.append(sink)
        found.append(next(merged))
    for i in range(3):
        for sink in sinks:
            telemetry(sink, i, 1)
            item = next(merged)
            found.append(item)
            if isinstance(item, record.Start):
                found.append(next(merged))
    listener.stop()
    assert list(merged) == []
    told = [(i.channel, i.first) if isinstance(i, record.Start) else i.values[0]["n"] for i in found]
    assert told == [("a", 0), ("b", 0), ("a", 0), 0, ("b", 0), 0, ("a", 1), 1, ("b", 1), 1, ("a", 2), 2, ("b", 2), 2]
    for sink in sinks:
        sink.close(False)


def test_what_is_sent_to_a_peer_that_is_gone_is_not_called_delivered():
    with socket.create_server(("127.0.0.1", 0)) as server:
        output = tcp.write(f"//127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        peer.close()
        time.sleep(0.05)
        with pytest.raises(errors.Unavailable):
            output.write(b"the last bytes")
            output.close()
