"""tcp, tls and unix between real processes: senders, readers, and peers that freeze, leave or are somebody else."""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import time

import fastavro
import pytest
from network import authority, free_port, listening, none_left, stop, until, wait_for  # noqa: F401 - a fixture
from shell import bash, start


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Samples and rows, as files."""
    folder = tmp_path_factory.mktemp("made")
    done = bash(
        "sp-capture sim:fm,pace=0 -s 1M --duration 1s -o iq.avro && "
        "sp-capture sim:telemetry,pace=0 --duration 20s -o rows.avro", folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def records(path):
    with open(path, "rb") as file:
        # nan is not itself
        return [{k: None if v != v else v for k, v in row.items()} for row in fastavro.reader(file)]


def lines(path):
    """Records of a stream of several containers, each with its channel."""
    done = bash(f"sp-cat {path} -j")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def running(*argv, **how):
    process = start(*argv, **how)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# ------------------------------------------------------------ one to one
@pytest.mark.parametrize("place", ["tcp://127.0.0.1:{}", "tcp://[::1]:{}", "tcp://localhost:{}", "unix:{}.sock"])
def test_what_is_sent_arrives(place, made, tmp_path):
    place = place.format(free_port())
    here = place + ",listen=yes,once=yes"
    receiver = listening("sp-cat", here.replace("localhost", "127.0.0.1"), "-o", "y.avro", cwd=tmp_path)
    done = bash(f"sp-send {made}/iq.avro {place}{',listen=no' * place.startswith('unix')}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert receiver.wait(10) == 0, receiver.stderr.read()
    receiver.communicate()
    assert records(tmp_path / "y.avro") == records(made / "iq.avro")
    assert not list(tmp_path.glob("*.sock"))


def test_without_a_host_it_listens_on_this_machine_alone_and_says_so():
    port = free_port()
    with running("sp-cat", f"tcp://:{port}", "-o", "/dev/null") as p:
        assert "for this machine only" in until(p, "listening")
        heard = bash(f"ss -Hltn sport = :{port}").stdout if bash("command -v ss").returncode == 0 else "127.0.0.1"
        assert "127.0.0.1" in heard and "0.0.0.0:" + str(port) not in heard


def test_a_format_named_at_the_place(tmp_path):
    port = free_port()
    receiver = listening("sp-cat", f"jsonl:tcp://:{port},once=yes", "-o", "y.avro", cwd=tmp_path)
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(b'{"pressure_kPa": 101.3}\n{"pressure_kPa": 101.4}\n')
    assert receiver.wait(10) == 0
    receiver.communicate()
    assert [r["pressure_kPa"] for r in records(tmp_path / "y.avro")] == [101.3, 101.4]


def test_of_everything_written_the_last_byte_arrives_though_the_peer_talks_back(made, tmp_path):
    """A socket that is closed with unread bytes would throw away what is on its way."""
    server = socket.create_server(("127.0.0.1", 0))
    with running("sp-cat", made / "iq.avro", "-o", f"tcp://127.0.0.1:{server.getsockname()[1]}") as p:
        peer, _ = server.accept()
        peer.sendall(bytes(16) * 100)
        time.sleep(0.3)  # what is on its way now waits in the kernels
        got = b""
        while data := peer.recv(1 << 20):
            got += data
            peer.sendall(bytes(16))
        peer.close()
        assert p.wait(10) == 0
    assert got[:4] == b"Obj\x01"
    (tmp_path / "got.avro").write_bytes(got)
    assert records(tmp_path / "got.avro") == records(made / "iq.avro")


# ------------------------------------------------------------ several senders
def test_several_senders_at_once_then_another(made, tmp_path):
    """Their records come out interleaved, a header wherever the channel turns; SIGTERM is the end."""
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port}", "-o", "y.avro", cwd=tmp_path)
    senders = [
        start("bash", "-c", f"sp-capture sim:telemetry --name node{i} --duration 2s | sp-send tcp://127.0.0.1:{port}")
        for i in range(3)
    ]
    for sender in senders:
        assert sender.wait(20) == 0, sender.stderr.read()
        sender.communicate()
    done = bash(f"sp-send {made}/rows.avro tcp://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    until(receiver, "ended", 4)
    code, text, took = stop(receiver)
    assert code == 0 and took < 2, text
    done = bash(f"sp-cat {tmp_path}/y.avro --info -j")
    assert done.returncode == 0, done.stderr
    found = {f["channel"]: f for f in map(json.loads, done.stdout.splitlines())}
    assert len(found) == 4 and not any(f["gaps"] for f in found.values())
    alone = json.loads(bash(f"sp-cat {made}/rows.avro --info -j").stdout)
    assert found[alone["channel"]]["count"] == alone["count"]
    assert len({f["count"] for name, f in found.items() if name.startswith("node")} - {0}) <= 2


def test_one_bad_sender_does_not_disturb_the_others(made, tmp_path):
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port}", "-o", "y.avro", cwd=tmp_path)
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    until(receiver, "not an Avro stream")
    for _ in range(2):
        assert bash(f"sp-send {made}/rows.avro tcp://127.0.0.1:{port}").returncode == 0
    until(receiver, "ended", 2)
    code, text, _ = stop(receiver)
    assert code == 0, text
    assert len(lines(tmp_path / "y.avro")) == 2 * len(records(made / "rows.avro"))


def test_duration_ends_a_listener(made, tmp_path):
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port}", "--duration", "200ms", "-o", "y.avro", cwd=tmp_path)
    bash(f"sp-send {made}/iq.avro tcp://127.0.0.1:{port}")
    assert receiver.wait(10) == 0
    receiver.communicate()
    assert sum(len(r["data"]) for r in records(tmp_path / "y.avro")) == 2 * 200_000


# ------------------------------------------------------------ several readers
def count_of(path):
    """Rows of a file that may end in the middle."""
    done = bash(f"sp-cat {path} --info -j")
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"count": 0, "gaps": 0, "lost": 0}


@pytest.mark.parametrize("place", ["tcp://127.0.0.1:{},listen=yes", "unix:{}.sock"])
def test_two_readers_one_of_them_stopped(place, tmp_path):
    """The other misses nothing; the stopped one sees how much it missed once it goes on."""
    place = place.format(free_port())
    reach = place.removesuffix(",listen=yes")
    with running(
        "sp-capture", "sim:tone", "-s", "2M", "-o", f"{place},queue=4MB", "-v", cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as source:
        until(source, "listening on")
        good = start("sp-cat", reach, "-o", "good.avro", cwd=tmp_path)
        slow = start("sp-cat", reach, "-o", "slow.avro", cwd=tmp_path)
        for name in ("good", "slow"):
            wait_for(lambda name=name: (tmp_path / f"{name}.avro.part").exists())
            wait_for(lambda name=name: (tmp_path / f"{name}.avro.part").stat().st_size > 100_000)
        slow.send_signal(signal.SIGSTOP)
        time.sleep(6)  # 24 MB: more than the queue and what the kernel keeps
        slow.send_signal(signal.SIGCONT)
        time.sleep(1)
        code, text, took = stop(source)
        assert code == 0 and took < 5 and "not_taken" in text, text
        for reader in (good, slow):
            assert reader.wait(10) == 0, reader.stderr.read()
            reader.communicate()
    good, slow = count_of(tmp_path / "good.avro"), count_of(tmp_path / "slow.avro")
    assert good["gaps"] == 0 and good["count"] > 12e6
    assert slow["gaps"] >= 1 and slow["lost"] > 1e5
    # what the slow one has and what it was told to have lost is what there was
    for found in (good, slow):
        assert abs(found["count"] + found["lost"] - 2e6 * found["duration_s"]) < 2e6 * 0.05


def test_a_slow_reader_of_rows_is_told_how_many_it_lost(tmp_path):
    port = free_port()
    (tmp_path / "rows.py").write_text(
        "import time\nfor n in range(9000):\n"
        " print('{\"n\": %d, \"pad\": \"%s\"}' % (n, 'x' * 5000), flush=True)\n time.sleep(.0005)\n"
    )
    with running("bash", "-c", f"python3 rows.py | sp-cat jsonl:- -v -o tcp://:{port},queue=100kB", cwd=tmp_path) as source:
        until(source, "listening on")
        peer = socket.create_connection(("127.0.0.1", port))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        time.sleep(2.5)
        got = b""
        while data := peer.recv(1 << 20):
            got += data
        peer.close()
        assert source.wait(20) == 0
    (tmp_path / "got.avro").write_bytes(got)
    info = count_of(tmp_path / "got.avro")
    assert info["gaps"] >= 1 and info["lost"] > 100
    rows = [r["n"] for r in lines(tmp_path / "got.avro")]
    assert rows == sorted(rows) and len(set(rows)) == len(rows)
    inside = rows[-1] - rows[0] + 1
    assert len(rows) + info["lost"] == inside, "what was lost between the first and the last is told exactly"


def test_a_late_reader_gets_a_header_first(tmp_path):
    port = free_port()
    with running("sp-capture", "sim:tone", "-s", "1M", "-v", "-o", f"tcp://:{port}") as source:
        until(source, "listening on")
        time.sleep(0.5)
        for _ in range(2):
            done = bash(f"sp-cat tcp://127.0.0.1:{port} --duration 100ms -o z.avro && sp-cat z.avro --info -j", tmp_path)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["count"] == 100_000
        assert stop(source)[0] == 0


def test_a_reader_ends_at_once_with_sigterm(tmp_path):
    port = free_port()
    with running("sp-capture", "sim:tone", "-s", "1M", "-v", "-o", f"tcp://:{port}") as source:
        until(source, "listening on")
        with running("sp-cat", f"tcp://127.0.0.1:{port}", "-o", "z.avro", "-v", cwd=tmp_path) as reader:
            wait_for(lambda: (tmp_path / "z.avro.part").exists() and (tmp_path / "z.avro.part").stat().st_size > 1e5)
            code, text, took = stop(reader)
            assert code == 0 and took < 2 and "left" not in text, text
    assert records(tmp_path / "z.avro")


# ------------------------------------------------------------ peers that are not there, leave, or freeze
@pytest.mark.parametrize(
    "line, code, says",
    [
        ("sp-cat tcp://127.0.0.1:1 -o /dev/null", 69, "is it running there?"),
        ("sp-cat unix:nosuch -o /dev/null", 69, "listening there?"),
        ("sp-cat tcp://nosuch.invalid:7000 -o /dev/null", 69, "not known"),
        ("sp-capture sim:tone -n 10 -o tcp://127.0.0.1:1", 69, "is it running there?"),
        ("sp-cat tcp://host -o /dev/null", 2, "tcp://HOST:PORT"),
        ("sp-cat tcp://host:99999 -o /dev/null", 2, "tcp://HOST:PORT"),
        ("sp-cat tcp://127.0.0.1:0 -o /dev/null", 2, "port 0"),
        ("sp-cat tcp://127.0.0.1:7000,once=yes -o /dev/null", 2, "for listening"),
        ("sp-cat tcp://127.0.0.1:7000,speed=3 -o /dev/null", 2, "no key 'speed'"),
        ("sp-capture sim:tone -n 10 -o tcp://127.0.0.1:7000,queue=1MB", 2, "for listening"),
        ("sp-capture sim:tone -n 10 -o unix:nosuch/x", 73, "cannot be made"),
        ("touch f; sp-capture sim:tone -n 10 -o unix:f", 73, "something else has this name"),
        ("sp-cat tls://:7000 -o /dev/null", 2, "needs a certificate"),
        ("sp-cat tls://127.0.0.1:7000,ca=nosuch -o /dev/null", 78, "nosuch"),
    ],
)
def test_status_and_message(line, code, says, tmp_path):
    done = bash(line, tmp_path)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for line in (f"sp-cat tcp://:{port} -o /dev/null", f"sp-capture sim:tone -n 10 -o tcp://:{port}"):
            done = bash(line, tmp_path)
            assert done.returncode == 69 and "in use" in done.stderr


def test_a_socket_in_use_is_refused_a_stale_one_replaced(tmp_path):
    first = listening("sp-capture", "sim:tone", "-s", "1M", "-o", "unix:s", cwd=tmp_path)
    done = bash("sp-capture sim:tone -n 10 -o unix:s", tmp_path)
    assert done.returncode == 73 and "in use by another process" in done.stderr
    first.kill()
    first.communicate()
    assert (tmp_path / "s").exists()
    second = listening("sp-capture", "sim:tone", "-s", "1M", "-o", "unix:s", cwd=tmp_path)
    assert bash("sp-cat unix:s --duration 10ms -o x.avro", tmp_path).returncode == 0
    assert stop(second)[0] == 0
    assert not (tmp_path / "s").exists()


def test_a_peer_that_leaves_is_69_and_not_a_broken_pipe():
    server = socket.create_server(("127.0.0.1", 0))
    with running("sp-capture", "sim:tone,pace=0", "--duration", "100s", "-o", f"tcp://127.0.0.1:{server.getsockname()[1]}") as p:
        peer, _ = server.accept()
        peer.recv(100_000)
        peer.close()
        assert p.wait(10) == 69
        assert b"connection broke" in p.stderr.read()


def test_a_peer_that_left_before_the_last_bytes_is_69(tmp_path):
    """They fit into the kernel's buffer, so only the end can tell."""
    server = socket.create_server(("127.0.0.1", 0))
    line = f"(sp-capture sim:telemetry,pace=0 --duration 1s; sleep 1) | sp-cat -o tcp://127.0.0.1:{server.getsockname()[1]}"
    with running("bash", "-o", "pipefail", "-c", line) as p:
        peer, _ = server.accept()
        peer.recv(10)
        peer.close()
        assert p.wait(10) == 69


@pytest.mark.parametrize("reset, code", [(False, 65), (True, 69)])
def test_a_stream_that_is_cut_off_is_reported(reset, code, made, tmp_path):
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port},once=yes", "-o", "y.avro", cwd=tmp_path)
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall((made / "iq.avro").read_bytes()[:1_000_000])
        wait_for(lambda: (tmp_path / "y.avro.part").exists() and (tmp_path / "y.avro.part").stat().st_size > 700_000)
        if reset:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert receiver.wait(10) == code, receiver.stderr.read()
    receiver.communicate()
    assert len(records(tmp_path / "y.avro")) > 2, "what came whole is there"


def test_sigterm_with_a_frozen_peer():
    server = socket.create_server(("127.0.0.1", 0))
    with running("sp-capture", "sim:tone", "-s", "2M", "-o", f"tcp://127.0.0.1:{server.getsockname()[1]}") as p:
        peer, _ = server.accept()
        time.sleep(1.5)
        code, text, took = stop(p)
        assert code == 0 and took < 5, (code, text, took)
        peer.close()


# ------------------------------------------------------------ tls
@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    authority(folder)
    return folder


def secured(keys, port, more=""):
    own = f"cert={keys}/server.pem,key={keys}/server.key"
    return listening("sp-cat", f"tls://:{port},once=yes,{own}{more}", "-o", "y.avro", cwd=os.getcwd())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("file", ["iq", "rows"])
def test_tls_with_a_good_certificate(file, keys, made, here):
    port = free_port()
    receiver = secured(keys, port)
    done = bash(f"sp-send {made}/{file}.avro tls://127.0.0.1:{port},ca={keys}/ca.pem")
    assert done.returncode == 0, done.stderr
    assert receiver.wait(10) == 0, receiver.stderr.read()
    receiver.communicate()
    assert records("y.avro") == records(made / f"{file}.avro")


@pytest.mark.parametrize(
    "how, says", [("ca={}/other.pem", "refused"), ("", "refused"), ("ca={}/ca.pem,name=evil.example", "evil.example")]
)
def test_tls_with_a_bad_certificate(how, says, keys, made, here):
    port = free_port()
    receiver = secured(keys, port)
    done = bash(f"sp-send {made}/rows.avro tls://127.0.0.1:{port}{',' * bool(how)}{how.format(keys)}")
    assert done.returncode == 77 and says in done.stderr, done.stderr
    receiver.kill()
    receiver.communicate()


def test_tls_by_another_name(keys, made, here):
    port = free_port()
    receiver = secured(keys, port)
    done = bash(f"sp-send {made}/rows.avro tls://127.0.0.1:{port},ca={keys}/ca.pem,name=relay.example")
    assert done.returncode == 0 and receiver.wait(10) == 0
    receiver.communicate()


def test_tls_asks_for_a_certificate(keys, made, here):
    for own, code in (("", (69, 77)), (f",cert={keys}/client.pem,key={keys}/client.key", (0,))):
        port = free_port()
        receiver = secured(keys, port, f",ca={keys}/ca.pem")
        done = bash(f"sp-send {made}/iq.avro tls://127.0.0.1:{port},ca={keys}/ca.pem{own}")
        assert done.returncode in code, done.stderr
        assert (receiver.wait(10) == 0) == (code == (0,))
        receiver.communicate()


def test_tls_to_a_peer_that_speaks_none(keys):
    server = socket.create_server(("127.0.0.1", 0))
    with running("sp-cat", f"tls://127.0.0.1:{server.getsockname()[1]}", "-o", "/dev/null") as p:
        peer, _ = server.accept()
        peer.sendall(b"Obj\x01" + bytes(100))
        assert p.wait(15) == 69
        peer.close()


def test_tls_readers(keys, here):
    port = free_port()
    own = f"cert={keys}/server.pem,key={keys}/server.key"
    source = listening("sp-capture", "sim:tone", "-s", "1M", "-o", f"tls://:{port},{own}")
    for _ in range(2):
        done = bash(f"sp-cat tls://127.0.0.1:{port},ca={keys}/ca.pem --duration 100ms -o z.avro && sp-cat z.avro --info -j")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["count"] == 100_000
    assert stop(source)[0] == 0


def test_tls_that_is_cut_off_does_not_look_whole(keys, here):
    """Without the peer's word of farewell an end may be anybody's."""
    port = free_port()
    receiver = secured(keys, port)
    with running("sp-capture", "sim:telemetry", "-o", f"tls://127.0.0.1:{port},ca={keys}/ca.pem"):
        wait_for(lambda: os.path.exists("y.avro.part") and os.path.getsize("y.avro.part") > 1000)
    assert receiver.wait(10) == 69, receiver.stderr.read()
    receiver.communicate()
