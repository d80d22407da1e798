"""UDP sockets: addresses, what is refused, what is counted, how listening ends."""

import os
import signal
import socket
import threading
import time

import pytest

from sptools import log, registry, url
from sptools.errors import BadConfig, NoInput, Unavailable, Usage
from sptools.transports import _block, _udpaddress, udp
from sptools.transports._datagrams import Pieces, Stream


@pytest.fixture
def said(monkeypatch):
    """What is said on stderr."""
    lines = []
    monkeypatch.setattr(log, "say", lambda level, text: lines.append(text))
    return lines


@pytest.fixture
def opened():
    """Opens inputs and outputs and closes them."""
    things = []

    def keep(thing):
        things.append(thing)
        return thing

    yield keep
    for thing in things:
        thing.close()
    assert not _block.live


def port(input):
    return input._socket.getsockname()[1]


def free_port(family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return s.getsockname()[1]


def receive(input, n, timeout=2.0):
    out, end = [], time.monotonic() + timeout
    while len(out) < n and time.monotonic() < end:
        out += input.batch(0.1)
    return out


# ------------------------------------------------------------ addresses
@pytest.mark.parametrize(
    "place, host, port, group, assumed",
    [
        ("//127.0.0.1:26000", "127.0.0.1", 26000, False, False),
        ("//:26000", "127.0.0.1", 26000, False, True),
        ("//0.0.0.0:1", "0.0.0.0", 1, False, False),
        ("//239.1.1.1:6000", "239.1.1.1", 6000, True, False),
        ("//[::1]:65535", "::1", 65535, False, False),
        ("//[ff15::1]:6000", "ff15::1", 6000, True, False),
        ("//localhost:6000/", None, 6000, False, False),
    ],
)
def test_addresses(place, host, port, group, assumed):
    found = _udpaddress.parse(place)
    assert (found.port, found.group, found.assumed) == (port, group, assumed)
    assert found.host == host or (host is None and found.host in ("127.0.0.1", "::1"))


@pytest.mark.parametrize(
    "place, says",
    [
        ("//127.0.0.1", "udp://HOST:PORT"), ("127.0.0.1:1", "udp://HOST:PORT"), ("//::1:5", "brackets"), ("//a:b:1", "udp://"),
        ("//h:0", "port 0"), ("//h:65536", "65536"),
        ("//224.0.0.251:5353", "reserved for routing"), ("//255.255.255.255:9", "broadcast"),
    ],
)  # fmt: skip
def test_addresses_that_are_refused(place, says):
    with pytest.raises(Usage, match=says):
        _udpaddress.parse(place)


def test_a_name_that_nobody_has():
    with pytest.raises(Unavailable, match="has no address"):
        _udpaddress.parse("//no.such.host.invalid:1")


def test_interfaces():
    group, one = _udpaddress.parse("//239.1.1.1:6000"), _udpaddress.parse("//127.0.0.1:6000")
    assert _udpaddress.interface("lo", group).index == socket.if_nametoindex("lo")
    assert _udpaddress.interface("127.0.0.1", group).address == "127.0.0.1"
    with pytest.raises(NoInput, match="there are lo"):
        _udpaddress.interface("nosuch0", group)
    with pytest.raises(Usage, match="for multicast groups"):
        _udpaddress.interface("lo", one)


@pytest.mark.parametrize(
    "networks, heard, not_heard",
    [
        (["10.0.0.0/8", "192.168.1.7"], ["10.1.2.3", "192.168.1.7", "::ffff:10.0.0.1"], ["192.168.1.8", "127.0.0.1", "::1"]),
        (["fe80::/10"], ["fe80::1%eth0"], ["::1", "10.0.0.1"]),
    ],
)
def test_allowed_sources(networks, heard, not_heard):
    allowed = _udpaddress.Allowed(networks)
    assert all(map(allowed, heard)) and not any(map(allowed, not_heard))
    for k in range(5000):  # its memory of them is bounded
        allowed(f"172.16.{k // 250}.{k % 250}")
    assert len(allowed.known) <= allowed.MOST


def test_a_network_that_is_none():
    with pytest.raises(Usage, match=r"from=10\.0\.0: not a network"):
        _udpaddress.Allowed(["10.0.0"])


# ------------------------------------------------------------ there and back
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("size", [0, 1, 1400, 65507])
def test_a_datagram_arrives(host, size, opened, said):
    n = free_port(socket.AF_INET6 if "::" in host else socket.AF_INET)
    input = opened(udp.read(f"//{host}:{n}"))
    output = opened(udp.write(f"//{host}:{n}"))
    data = os.urandom(size)
    output.write(data[: size // 2], memoryview(data)[size // 2 :])
    assert receive(input, 1) == [data]
    assert input.notes == {} and output.notes == {}


def test_a_group_on_one_interface(opened, said):
    n = free_port()
    two = [opened(udp.read(f"//239.77.1.1:{n}", iface=each)) for each in ("lo", "127.0.0.1")]
    other = opened(udp.read(f"//239.77.1.2:{n}", iface="lo"))
    output = opened(udp.write(f"//239.77.1.1:{n}", iface="lo"))
    output.write(b"all of you")
    assert [receive(each, 1) for each in two] == [[b"all of you"]] * 2
    assert other.batch(0.05) == []
    assert output._socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1


def test_ttl(opened):
    assert (
        opened(udp.write("//239.77.1.1:9", iface="lo", ttl=3))._socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 3
    )
    assert opened(udp.write("//127.0.0.1:9", ttl=3))._socket.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 3
    with pytest.raises(Usage, match="ttl=0"):
        udp.write("//127.0.0.1:9", ttl=0)


def test_without_a_host_it_hears_loopback_and_says_so(opened, said):
    input = opened(udp.read(f"//:{free_port()}"))
    assert input._socket.getsockname()[0] == "127.0.0.1"
    assert any("hears this machine alone" in line for line in said)


def test_other_sources_are_counted(opened, said):
    n = free_port()
    input = opened(udp.read(f"//127.0.0.1:{n}", from_=["127.0.0.2/32"]))
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((source, 0))
            s.sendto(source.encode(), ("127.0.0.1", n))
    assert receive(input, 1) == [b"127.0.0.2"]
    input.batch(0.05)
    assert input.refused == 2 and input.notes == {"refused": 2}


# ------------------------------------------------------------ faults
def test_nobody_listens(opened):
    n = free_port()
    output = opened(udp.write(f"//127.0.0.1:{n}"))
    for _ in range(5):
        output.write(b"x")
    assert 1 <= output.refused <= 4 and output.unsent == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", n))
        output.write(b"now")  # the refusal of the last one is no reason not to send this one
        assert s.recv(10) == b"now"


def test_a_datagram_that_is_too_long_names_the_mtu(opened):
    output = opened(udp.write("//127.0.0.1:9"))
    with pytest.raises(BadConfig, match=r"65,508 bytes is too long .* smaller mtu="):
        output.write(bytes(65508))


def test_a_port_that_is_taken(opened, said):
    n = free_port()
    opened(udp.read(f"//127.0.0.1:{n}"))
    with pytest.raises(Unavailable, match="already in use"):
        udp.read(f"//127.0.0.1:{n}")
    with pytest.raises(Unavailable, match="assign requested address"):
        udp.read(f"//192.0.2.1:{n}")


def test_what_finds_no_room_is_counted_at_least(opened, said):
    n = free_port()
    input = opened(udp.read(f"//127.0.0.1:{n}"))
    input._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
    output = opened(udp.write(f"//127.0.0.1:{n}"))
    for _ in range(200):
        output.write(bytes(1400))
    got = len(receive(input, 200, 0.3))
    assert 0 < got < 200 and input.notes == {"kernel_drops": 200 - got}
    input.stop()
    assert input.notes == {"kernel_drops": 200 - got}


def test_a_small_buffer_is_reported(opened, said, monkeypatch):
    import sptools.transports._udpin as _udpin

    monkeypatch.setattr(_udpin, "SO_RCVBUFFORCE", socket.SO_RCVBUF)  # as without the privilege
    opened(udp.read(f"//127.0.0.1:{free_port()}"))
    assert any("net.core.rmem_max=67108864" in line for line in said)


# ------------------------------------------------------------ the end
def test_stopping_delivers_what_has_arrived_and_hears_no_more(opened, said):
    n = free_port()
    input = opened(udp.read(f"//127.0.0.1:{n}"))
    output = opened(udp.write(f"//127.0.0.1:{n}"))
    for k in range(600):
        output.write(b"%d" % k)
    input.stop()
    for _ in range(10):
        output.write(b"too late")
    got = []
    while (batch := input.batch()) is not None:
        got += batch
    assert got == [b"%d" % k for k in range(600)] and input.notes == {}


def test_a_signal_ends_the_wait(opened, said):
    input = opened(udp.read(f"//127.0.0.1:{free_port()}"))
    before = signal.signal(signal.SIGUSR2, lambda *_: _block.stop())
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR2))
    timer.start()
    try:
        began = time.monotonic()
        assert input.batch() is None
        assert time.monotonic() - began < 1
    finally:
        timer.join()
        signal.signal(signal.SIGUSR2, before)


# ------------------------------------------------------------ formats that know only bytes
class Canned:
    name, path, mtu = "canned", None, 100

    def __init__(self, *batches):
        self.batches, self.sent, self.notes = list(batches), [], {}

    def batch(self, timeout=None):
        return self.batches.pop(0) if self.batches else None

    def write(self, *buffers):
        self.sent.append(b"".join(buffers))


def test_each_datagram_ends_a_line():
    stream = Stream(Canned([b"a", b"b\n"], [], [b"c"]), lines=True)
    assert b"".join(iter(lambda: stream.read(2), b"")) == b"a\nb\nc\n"


def test_samples_are_joined_as_they_come():
    stream = Stream(Canned([b"abc", b""], [b"defg"]), lines=False)
    view = memoryview(bytearray(2))
    got = b""
    while n := stream.readinto(view):
        got += view[:n]
    assert got == b"abcdefg"


def test_lines_and_pieces():
    lines, pieces = Canned(), Canned()
    Pieces(lines, lines=True).write(b'{"a": 1}\n{"a": 2}\n')
    Pieces(pieces, lines=False).write(bytes(150), bytes(100))
    assert lines.sent == [b'{"a": 1}\n', b'{"a": 2}\n']
    assert [len(p) for p in pieces.sent] == [96, 96, 58]


# ------------------------------------------------------------ what it says of itself
def test_its_keys_describe_themselves():
    for way, names in (("read", ["iface", "from"]), ("write", ["iface", "ttl", "mtu"])):
        description = registry.describe("transports", "udp", way)
        assert description.valid == names and all(s.help for s in description.settings)
    setting = registry.describe("transports", "udp", "read").setting("from")
    assert setting.parameter == "from_" and setting.flag == "--from"  # Python keeps the word for itself
    endpoint = url.parse("udp://:1,from=10.0.0.0/8,192.168.1.7,iface=lo,wire=bare")
    ours = registry.describe("formats", "avro", "read_datagrams")
    keys, places = url.split_keys(endpoint, "avro over udp", ours, registry.describe("transports", "udp", "read"))
    assert keys == {"wire": "bare"} and places == {"from_": ["10.0.0.0/8", "192.168.1.7"], "iface": "lo"}
