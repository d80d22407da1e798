"""The rtl_tcp client against Debian's rtl_tcp on the fake librtlsdr, and against servers that are broken or hostile."""

import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rig

from sptools import errors
from sptools.drivers import _rtlsocket
from sptools.drivers.rtltcp import rtltcp, split

RATE = 2_400_000
HEADER = struct.pack(">4sII", b"RTL0", 5, 29)  # R820T
CAPTURE = str(Path(sys.executable).with_name("sp-capture"))
ALLOWED = {0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x0D, 0x0E}


def words(chunk):
    return np.frombuffer(chunk.data, "<u4")


def ending(receiver):
    begin = time.monotonic()
    try:
        while receiver.read() is not None:
            begin = time.monotonic()
    except errors.SpError as error:
        return error, time.monotonic() - begin


def until_listening(port):
    """rtl_tcp says «listening» just before it does; to try the port would take the one client that it serves."""
    deadline = time.monotonic() + 10
    while not any(
        row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A"  # LISTEN
        for table in ("tcp", "tcp6")
        for row in Path("/proc/net", table).read_text().splitlines()[1:]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def server(dongle, tmp_path):
    """Starts Debian's rtl_tcp on the fake; gives its address."""
    started = []

    def start(host="127.0.0.1", **fake):
        with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            ["stdbuf", "-oL", "rtl_tcp", "-a", host, "-p", str(port)],
            env=rig.environment(dongle, **fake),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        for line in process.stdout:
            if line.startswith("listening"):
                break
        else:
            raise AssertionError("rtl_tcp did not start")
        until_listening(port)
        threading.Thread(target=process.stdout.read, daemon=True).start()  # it logs every command
        return f"//[{host}]:{port}" if ":" in host else f"//{host}:{port}"

    start.started = started
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_real_rtl_tcp(server, tmp_path, host):
    """The bytes are the dongle's, from after the settings took effect; every setting arrives."""
    data, log = rig.numbered(tmp_path / "x.cu8", 4 * RATE), tmp_path / "calls"
    receiver = rtltcp(server(host, file=data, log=log), freq=99.7e6, rate=1e6, gain=20.0, ppm=-7.0, agc=True)
    assert (receiver.rate, receiver.freq, receiver.gain, receiver.tuner) == (1e6, 99.7e6, 19.7, "R820T")
    got = [receiver.read() for _ in range(50)]
    receiver.close()
    stream = np.concatenate([words(c) for c in got])
    assert np.array_equal(stream, stream[0] + np.arange(len(stream)))
    assert stream[0] * 4 == _rtlsocket.BUFFER // len(got[0].data) * len(got[0].data) + len(got[0].data)
    assert sum(c.lost for c in got) == 0
    calls = log.read_text()
    for line in (
        "set_sample_rate 1000000",
        "set_center_freq 99700000",
        "set_tuner_gain_mode 1",
        "set_tuner_gain 197",
        "set_freq_correction -7",
        "set_agc_mode 1",
    ):
        assert line in calls
    assert "set_bias_tee 1" not in calls and "direct" not in calls


def test_retunes_without_a_break(server, tmp_path):
    data, log = rig.numbered(tmp_path / "x.cu8", 4 * RATE), tmp_path / "calls"
    receiver = rtltcp(server(file=data, log=log), freq=100e6, gain=float("nan"))
    got = [receiver.read() for _ in range(5)]
    receiver.set(freq=101e6, gain=49.0)
    got += [receiver.read() for _ in range(20)]
    receiver.close()
    assert np.all(np.diff(np.concatenate([words(c) for c in got])) == 1)
    assert (got[0].freq, got[-1].freq, got[-1].gain) == (100e6, 101e6, 49.6)
    switch = next(n for n, c in enumerate(got) if c.freq == 101e6)
    assert (switch - 5) * len(got[0].data) >= _rtlsocket.BUFFER  # what was in the server's hands is not called new
    assert "set_center_freq 101000000" in log.read_text()


def test_the_dongle_behind_the_server_is_unplugged(server):
    error, waited = ending(rtltcp(server(unplug=4)))
    assert error.code == 69
    assert waited < 3.5  # rtl_tcp keeps the connection open and silent


def test_the_dongle_behind_the_server_stalls(server):
    error, waited = ending(rtltcp(server(maxbuf=4, at_eof="block")))
    assert error.code == 69
    assert "no samples for 3 s" in str(error)
    assert waited == pytest.approx(3, abs=0.5)


def test_bias_tee_only_when_asked_and_off_again(server, tmp_path):
    log = tmp_path / "calls"
    receiver = rtltcp(server(log=log), bias_tee=True)
    receiver.read()
    receiver.close()
    for _ in range(100):
        if log.read_text().count("set_bias_tee 0") == 2:
            break
        time.sleep(0.02)
    assert [line for line in log.read_text().splitlines() if "bias" in line] == [
        "set_bias_tee 0",  # rtl_tcp by itself, as it starts
        "set_bias_tee 1",
        "set_bias_tee 0",
    ]


class Server:
    """A server of one connection that says `greeting`, then does `serve(link)`; `commands` is what it was told."""

    def __init__(self, greeting=HEADER, serve=lambda link: None):
        self.greeting, self.serve, self.commands = greeting, serve, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"//127.0.0.1:{self.listener.getsockname()[1]}"
        self.done = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        link, _ = self.listener.accept()
        with link, self.listener:
            try:
                link.sendall(self.greeting)
                threading.Thread(target=self.hear, args=(link,), daemon=True).start()
                self.serve(link)
            except OSError:
                pass
            self.done.wait(5)

    def hear(self, link):
        try:
            while got := link.recv(4096):
                self.commands += got
        except OSError:
            pass
        self.done.set()


def stream(link, seconds=30.0, gap_at=None, gap=0.0, rate=RATE):
    """Samples at their pace in 8 ms pieces; `gap` seconds of them are left out at `gap_at`."""
    piece = bytes(2 * int(rate * 0.008))
    begin, sent = time.monotonic(), 0.0
    for _ in range(-(-_rtlsocket.BUFFER // len(piece))):  # what the client throws away, at once
        link.sendall(piece)
    while sent < seconds:
        if gap_at is not None and sent >= gap_at:
            sent, gap_at = sent + gap, None
        sent += 0.008
        time.sleep(max(0.0, begin + sent - time.monotonic()))
        link.sendall(piece)


def test_only_harmless_commands_are_sent():
    """0x0e would power an antenna, 0x06 to 0x0c and 0x0f on are not for us."""
    server = Server(serve=stream)
    receiver = rtltcp(server.address, freq=433.92e6, gain=30.0, ppm=2.0)
    receiver.set(freq=434e6, gain=float("nan"), ppm=-1.0)
    receiver.read()
    receiver.close()
    assert server.done.wait(2)
    assert len(server.commands) % 5 == 0
    commands = [struct.unpack(">BI", server.commands[i : i + 5]) for i in range(0, len(server.commands), 5)]
    assert {number for number, _ in commands} <= ALLOWED - {0x0E}
    assert commands[:2] == [(0x02, RATE), (0x08, 0)]
    assert commands[2:6] == [(0x05, 2), (0x01, 433_920_000), (0x03, 1), (0x04, 297)]
    assert commands[6:] == [(0x05, 2**32 - 1), (0x01, 434_000_000), (0x03, 0)]


def test_an_unknown_tuner_gets_the_gain_as_asked():
    receiver = rtltcp(Server(struct.pack(">4sII", b"RTL0", 99, 2**32 - 1), stream).address, gain=12.3)
    assert (receiver.tuner, receiver.gain) == ("unknown tuner", 12.3)
    receiver.close()


def test_what_goes_missing_is_estimated(monkeypatch):
    monkeypatch.setattr(_rtlsocket, "WINDOW_s", 0.4)
    receiver = rtltcp(Server(serve=lambda link: stream(link, gap_at=1.0, gap=0.3)).address)
    lost = [receiver.read().lost for _ in range(280)]
    receiver.close()
    assert sum(lost) == pytest.approx(0.3 * RATE, abs=_rtlsocket.BUFFER / 2)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        bytes(12),
        b"RTL1" + HEADER[4:],
        b"0LTR" + HEADER[4:],
    ],
)
def test_not_an_rtl_tcp_server(greeting):
    with pytest.raises(errors.BadData, match=r"not an rtl_tcp server: it begins with '"):
        rtltcp(Server(greeting).address)


@pytest.mark.parametrize("size", [0, 1, 11])
def test_a_header_cut_short(size):
    with pytest.raises(errors.Unavailable, match="hung up"):
        rtltcp(Server(HEADER[:size], lambda link: link.shutdown(socket.SHUT_RDWR)).address)


@pytest.mark.parametrize("greeting", [b"", HEADER[:5], HEADER])
def test_a_silent_server(monkeypatch, greeting):
    monkeypatch.setattr(_rtlsocket, "STALL_s", 0.3)
    begin = time.monotonic()
    said = r"no samples for 0\.3 s" if greeting else "connected, but it never greeted; is another client"
    with pytest.raises(errors.Unavailable, match=said):
        rtltcp(Server(greeting).address)
    assert time.monotonic() - begin < 1.5


def test_a_byte_now_and_then_is_a_stall_too(monkeypatch):
    monkeypatch.setattr(_rtlsocket, "STALL_s", 0.5)

    def drip(link):
        for _ in range(50):
            link.sendall(b"x")
            time.sleep(0.1)

    begin = time.monotonic()
    with pytest.raises(errors.Unavailable, match="no samples"):
        rtltcp(Server(serve=drip).address)
    assert time.monotonic() - begin < 1.5


def test_random_headers(monkeypatch):
    """Ten thousand: an error of ours for each, at once, whatever numbers it claims."""
    rng = np.random.default_rng(3)
    here, there = socket.socketpair()
    monkeypatch.setattr(_rtlsocket.TcpReceiver, "_connect", lambda *_: here.dup())
    for header in rng.integers(0, 256, (10_000, 12), "u1"):
        there.sendall(header.tobytes())
        with pytest.raises(errors.BadData):
            rtltcp("//x")
    here.close()
    there.close()


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(errors.Unavailable, match="is rtl_tcp running"):
        rtltcp(f"//127.0.0.1:{port}")
    with pytest.raises(errors.Unavailable, match="check the host's name"):
        rtltcp("//name.invalid:1234")


def test_close_wakes_a_reader():
    server = Server(serve=lambda link: link.sendall(bytes(_rtlsocket.BUFFER + 200_000)))
    receiver = rtltcp(server.address)
    receiver.read()
    threading.Timer(0.2, receiver.close).start()
    begin = time.monotonic()
    while receiver.read() is not None:
        pass
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("//pi:1234", ("pi", 1234)),
        ("//pi", ("pi", 1234)),
        ("//:7", ("localhost", 7)),
        ("", ("localhost", 1234)),
        ("pi:99/", ("pi", 99)),
        ("//[::1]", ("::1", 1234)),
        ("//[fe80::1%eth0]:77", ("fe80::1%eth0", 77)),
    ],
)
def test_addresses(address, place):
    assert split(address) == place


@pytest.mark.parametrize("address", ["//pi:x", "//pi:0", "//pi:65536", "//::1", "//[::1", "//[::1]x", "//pi:-1"])
def test_not_an_address(address):
    with pytest.raises(errors.Usage, match="rtltcp://host:1234"):
        split(address)


def capture(*args):
    return subprocess.run([CAPTURE, *args, "-o", "cu8:-"], capture_output=True, timeout=30)


def test_the_whole_command(server, tmp_path):
    """sp-capture on the real rtl_tcp: whole samples, in order, exit 0."""
    address = server(file=rig.numbered(tmp_path / "x.cu8", 2 * RATE))
    done = capture(f"rtltcp:{address}", "-f", "99.7M", "-s", "1M", "-n", "200000")
    assert (done.returncode, done.stderr) == (0, b"")
    numbers = np.frombuffer(done.stdout, "<u4")
    assert len(numbers) == 100_000
    assert np.all(np.diff(numbers) == 1)


@pytest.mark.parametrize(
    ("greeting", "code", "says"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n", 65, "not an rtl_tcp server"), (HEADER[:4], 69, "hung up")],
)
def test_the_whole_command_against_a_stranger(greeting, code, says):
    done = capture(f"rtltcp:{Server(greeting, lambda link: link.shutdown(socket.SHUT_RDWR)).address}")
    assert done.returncode == code
    assert says in done.stderr.decode().splitlines()[-1]


def test_the_whole_command_when_the_server_dies(server):
    """The server is killed in the middle: what came is delivered, 69."""
    args = [CAPTURE, f"rtltcp:{server()}", "-o", "cu8:-"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.read(100_000)
        server.started[0].kill()
        _, err = process.communicate(timeout=10)
    assert process.returncode == 69
    assert "rtltcp://127.0.0.1" in err.decode().splitlines()[-1]
