"""Datagrams between real processes: over loopback, and in a network namespace where groups, loss and disorder are real."""

import json
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import fastavro
import pytest
from shell import ENV, bash, start

EXAMPLE = {
    "type": "record", "name": "data", "namespace": "speeddata.example",
    "fields": [
        {"name": "time", "type": "long"}, {"name": "message", "type": "string"}, {"name": "counter", "type": "int"},
        *({"name": n, "type": "double"} for n in ("sine_wave", "ramp", "square_wave", "noise")),
    ],
}  # fmt: skip
BARE = [  # two datagrams of SpeedData's own demonstration
    "8080d0e2c6bfce972f0a68656c6c6f000000000000000000000000000000e03f000000000000f0bf000000000000d03f",
    "aab4aed8c7bfce972f0a68656c6c6f0e000000000000e03f000000000000d0bf000000000000f03f000000000000c03f",
]


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listening(port, tries=200):
    """Waits until somebody listens on a port of this machine."""
    for _ in range(tries):
        if re.search(rf":{port:04X} 0", Path("/proc/net/udp").read_text()):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")


def listener(port, *argv, cwd=None):
    """A started process that listens on `port`."""
    process = start(*argv, cwd=cwd)
    try:
        listening(port)
    except AssertionError:
        process.kill()
        raise AssertionError(process.communicate()) from None
    return process


def finish(process, timeout=6):
    """SIGTERM; → (stdout, stderr) of a clean end."""
    time.sleep(0.3)
    process.terminate()
    out, text = process.communicate(timeout=timeout)
    assert process.returncode == 0, text
    return out.decode(), text.decode()


def counted(text, name):
    """What the last line says of a counter."""
    found = re.findall(rf"\b{name} ([\d,]+)", text)
    return int(found[-1].replace(",", "")) if found else 0


def rows(path):
    with open(path, "rb") as f:
        return list(fastavro.reader(f))


# ------------------------------------------------------------ every tool, both ways
def test_rows(port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-v", "-o", "got.avro", cwd=tmp_path)
    done = bash(f"sp-capture sim:telemetry,rate=500 --duration 1.5s -o udp://127.0.0.1:{port} -o sent.avro -v", tmp_path)
    assert done.returncode == 0 and counted(done.stderr, "datagrams_out") > 10, done.stderr
    _, text = finish(reader)
    assert rows(tmp_path / "got.avro") == rows(tmp_path / "sent.avro")
    assert counted(text, "rows_in") == 750 and "lost 0" in text and "lost_" not in text


def test_a_row_comes_at_once(port):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-j")
    sender = start("sp-capture", "sim:telemetry,rate=1", "--duration", "3s", "-o", f"udp://127.0.0.1:{port}")
    line = json.loads(reader.stdout.readline())
    assert time.time() - line["time"] / 1e9 < 1.0 + 0.4  # the row before it came was a second long
    sender.terminate()
    assert sender.wait(timeout=5) == 0
    finish(reader)


@pytest.mark.parametrize("mtu", [1400, 8900])
def test_samples(mtu, port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-v", "-o", "got.avro", cwd=tmp_path)
    done = bash(f"sp-capture sim:tone -s 250k --duration 1s -o udp://127.0.0.1:{port},mtu={mtu} -o sent.avro", tmp_path)
    assert done.returncode == 0, done.stderr
    _, text = finish(reader)
    got, sent = rows(tmp_path / "got.avro"), rows(tmp_path / "sent.avro")
    assert b"".join(r["data"] for r in got) == b"".join(r["data"] for r in sent)
    assert [r["sample"] for r in got[1:]] == [r["sample"] + len(r["data"]) // 2 for r in got[:-1]]
    times = {r["sample"]: r["time"] for r in got}
    assert all(times[r["sample"]] == r["time"] for r in sent)
    assert counted(text, "samples_in") == 250_000
    header = {}
    for name in ("got", "sent"):
        with open(tmp_path / f"{name}.avro", "rb") as f:
            header[name] = json.loads(fastavro.reader(f).metadata["sptools.source"])
    assert header["got"] == header["sent"]


def test_who_joins_late_gets_the_rest_in_one_container(port, tmp_path):
    sender = start("sp-capture", "sim:tone", "-s", "1M", "-o", f"udp://127.0.0.1:{port}")
    time.sleep(1.5)
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-v", "-o", "got.avro", cwd=tmp_path)
    time.sleep(1.7)
    _, text = finish(reader)
    sender.terminate()
    assert sender.wait(timeout=5) == 0
    got = rows(tmp_path / "got.avro")
    assert got[0]["sample"] > 0 and len(got) > 1000
    assert [r["sample"] for r in got[1:]] == [r["sample"] + len(r["data"]) // 2 for r in got[:-1]]
    assert "lost 0" in text and "lost_" not in text
    with open(tmp_path / "got.avro", "rb") as f:
        assert json.loads(fastavro.reader(f).metadata["sptools.source"])["device"] == "sim:tone"


def test_a_channel_without_a_name(port, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"time": 1, "x": 0.5}\n{"time": 2, "x": 1.5}\n')
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-o", "got.jsonl", cwd=tmp_path)
    for more in ("", ",channel=rig"):
        assert bash(f"sp-cat rows.jsonl -o udp://127.0.0.1:{port}{more}", tmp_path).returncode == 0
    finish(reader)
    assert [json.loads(line)["x"] for line in (tmp_path / "got.jsonl").read_text().splitlines()] == [0.5, 1.5, 0.5, 1.5]


def test_spectra_and_messages(port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-o", "got.jsonl", cwd=tmp_path)
    done = bash(
        f"sp-capture sim:adsb,pace=0 --duration 1s -o x.avro && sp-demod adsb x.avro -o udp://127.0.0.1:{port} -o m.jsonl && "
        f"sp-psd x.avro --bins 4096 --interval 0.5s -o udp://127.0.0.1:{port} -o s.jsonl", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    finish(reader)
    sent = (tmp_path / "m.jsonl").read_text() + (tmp_path / "s.jsonl").read_text()
    assert (tmp_path / "got.jsonl").read_text() == sent and sent.count("\n") > 3


def test_a_demodulator_listens(port, tmp_path):
    demod = listener(port, "sp-demod", "wbfm", f"udp://127.0.0.1:{port}", "-o", "udp.wav", cwd=tmp_path)
    done = bash(f"sp-capture sim:fm -s 1M --duration 1s -o udp://127.0.0.1:{port} -o iq.avro", tmp_path)
    assert done.returncode == 0, done.stderr
    finish(demod)
    assert bash("sp-demod wbfm iq.avro -o file.wav", tmp_path).returncode == 0
    assert (tmp_path / "udp.wav").read_bytes() == (tmp_path / "file.wav").read_bytes()


def test_json_lines(port, tmp_path):
    reader = listener(port, "sp-cat", f"jsonl:udp://127.0.0.1:{port}", "-j")
    done = bash(f"sp-capture sim:telemetry,pace=0 -n 50 -o jsonl:udp://127.0.0.1:{port} -o sent.avro", tmp_path)
    assert done.returncode == 0, done.stderr
    out, _ = finish(reader)
    sent = rows(tmp_path / "sent.avro")
    assert [json.loads(line)["counter"] for line in out.splitlines()] == [r["counter"] for r in sent] == list(range(50))


def test_raw_samples(port, tmp_path):
    reader = listener(port, "sp-cat", f"cu8:udp://127.0.0.1:{port},rate=1M", "-o", "got.cu8", cwd=tmp_path)
    done = bash(f"sp-capture sim:tone,pace=0 -s 1M -n 100k -o cu8:udp://127.0.0.1:{port},mtu=1000 -o sent.cu8", tmp_path)
    assert done.returncode == 0, done.stderr
    finish(reader)
    assert (tmp_path / "got.cu8").read_bytes() == (tmp_path / "sent.cu8").read_bytes()


def test_bare_senders(port, tmp_path):
    (tmp_path / "x.avsc").write_text(json.dumps(EXAMPLE))
    place = f"udp://127.0.0.1:{port},wire=bare,schema=x.avsc,channel=rig"
    reader = listener(port, "sp-cat", place, "-v", "-o", "got.avro", cwd=tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for vector in [*BARE, BARE[0] + "00"]:
            s.sendto(bytes.fromhex(vector), ("127.0.0.1", port))
    _, text = finish(reader)
    assert [(r["message"], r["counter"], r["noise"]) for r in rows(tmp_path / "got.avro")] == [
        ("hello", 0, 0.25),
        ("hello", 7, 0.125),
    ]
    assert counted(text, "malformed") == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", port))
        s.settimeout(5)
        assert bash(f"sp-cat got.avro -o udp://127.0.0.1:{port},wire=bare", tmp_path).returncode == 0
        assert [s.recv(100).hex() for _ in range(2)] == BARE


def test_nobody_listens(port):
    done = bash(f"sp-capture sim:telemetry,pace=0 --duration 30s -o udp://127.0.0.1:{port} -v")
    assert done.returncode == 0 and counted(done.stderr, "refused") >= 1, done.stderr


# ------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    "line, code, says",
    [
        ("sp-cat udp://127.0.0.1:1,speed=3", 2, "avro over udp has no key 'speed'; it has wire, schema, channel, "),
        ("sp-capture sim:fm,pace=0 -o udp://127.0.0.1:1,ftl=3", 2, "it has wire, linger, channel, iface, ttl, mtu"),
        ("sp-cat jsonl:udp://127.0.0.1:1,linger=3s", 2, "jsonl over udp has no key 'linger'"),
        ("sp-cat udp://127.0.0.1", 2, "udp://HOST:PORT"),
        ("sp-cat udp://224.0.0.1:6000", 2, "reserved for routing"),
        ("sp-cat udp://255.255.255.255:6000", 2, "broadcast"),
        ("sp-cat udp://127.0.0.1:6000,from=home", 2, "not a network"),
        ("sp-cat udp://127.0.0.1:6000,wire=bare", 2, "needs schema=FILE"),
        ("sp-cat udp://127.0.0.1:6000,wire=bare,schema=nosuch.avsc", 66, "nosuch.avsc"),
        ("sp-cat udp://239.1.1.1:6000,iface=nosuch", 66, "there are lo"),
        ("sp-cat udp://127.0.0.1:6000 x.avro", 2, "put it last"),
        ("sp-cat udp://192.0.2.1:6000", 69, "cannot be listened to"),
        ("sp-capture sim:fm,pace=0 -o wav:udp://127.0.0.1:6000", 2, "not made for datagrams"),
        ("sp-capture sim:fm,pace=0 -o udp://127.0.0.1:6000,mtu=70000", 2, "65507"),
        (f"sp-capture sim:fm,pace=0 -n 10 --name {'n' * 60} -o udp://127.0.0.1:6000,mtu=128", 78, "mtu=128 leaves no room"),
        ("sp-capture sim:fm,pace=0 --duration 1s | sp-psd --bins 32768 -o udp://127.0.0.1:6000", 78, "does not fit a datagram"),
    ],
)
def test_refused(line, code, says, tmp_path):
    done = bash(f"{line} > /dev/null", tmp_path, timeout=20)
    assert done.returncode == code and says in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_network_that_is_not_heard(port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port},from=10.0.0.0/8", "-v", "-o", "x.jsonl", cwd=tmp_path)
    done = bash(f"sp-capture sim:telemetry,pace=0 --duration 1s -v -o udp://127.0.0.1:{port}")
    _, text = finish(reader)
    assert counted(text, "refused") == counted(done.stderr, "datagrams_out") > 0 and counted(text, "rows_in") == 0


# ------------------------------------------------------------ how it ends
def test_sigterm_with_nothing_received(port):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-j")
    began = time.monotonic()
    finish(reader)
    assert time.monotonic() - began < 1.5


def test_sigint_delivers_and_dies_of_it(port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-o", "x.avro", cwd=tmp_path)
    bash(f"sp-capture sim:telemetry,pace=0 -n 20 -o udp://127.0.0.1:{port}")
    time.sleep(0.3)
    reader.send_signal(signal.SIGINT)
    reader.communicate(timeout=5)
    assert reader.returncode == -signal.SIGINT and len(rows(tmp_path / "x.avro")) == 20


def test_sigterm_under_full_load(port, tmp_path):
    """What was received is stored, what was lost before that is counted, and the end comes within 5 s."""
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-v", "-o", "x.avro", cwd=tmp_path)
    sender = start("sp-capture", "sim:telemetry,rate=1M,pace=0", "-o", f"udp://127.0.0.1:{port}")
    time.sleep(2.0)
    reader.terminate()
    began = time.monotonic()
    _, text = reader.communicate(timeout=8)
    assert time.monotonic() - began < 5 and reader.returncode == 0, text
    sender.terminate()
    sender.communicate(timeout=6)
    text = text.decode()
    read = bash("sp-cat x.avro --info -j", tmp_path)
    facts = json.loads(read.stdout)
    assert facts["count"] == counted(text, "rows_in") > 10_000 and counted(text, "left") == 0
    assert facts.get("lost", 0) == counted(text, "lost_frames")


# ------------------------------------------------------------ disorder
class Proxy(threading.Thread):
    """Stands between a sender and a receiver: repeats some datagrams and lets others wait for a few."""

    def __init__(self, there, seed, twice, held):
        super().__init__(daemon=True)
        self.rng, self.twice, self.held = random.Random(seed), twice, held
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.settimeout(0.02)
        self.port, self.there = self.sock.getsockname()[1], ("127.0.0.1", there)
        self.repeated = self.passed = 0
        self.ending = False

    def run(self):
        waiting = []  # (after so many more, datagram)
        while True:
            try:
                data = self.sock.recv(65535)
                self.passed += 1
            except TimeoutError:
                for _, data in waiting:
                    self.sock.sendto(data, self.there)
                waiting = []
                if self.ending:
                    return
                continue
            waiting.append((self.rng.randint(1, 9) if self.rng.random() < self.held else 0, data))
            if data[:4] != b"Obj\x01" and self.rng.random() < self.twice:
                waiting.append((self.rng.randint(0, 20), data))
                self.repeated += 1
            for wait, data in waiting:
                if not wait:
                    self.sock.sendto(data, self.there)
            waiting = [(wait - 1, data) for wait, data in waiting if wait]


@pytest.mark.parametrize("seed", [1, 2])
def test_repeated_and_overtaking(seed, port, tmp_path):
    reader = listener(port, "sp-cat", f"udp://127.0.0.1:{port}", "-v", "-o", "got.avro", cwd=tmp_path)
    proxy = Proxy(port, seed, twice=0.2, held=0.3)
    proxy.start()
    line = f"sp-capture sim:telemetry,pace=0 -n 1500 -v -o udp://127.0.0.1:{proxy.port},linger=0s -o sent.avro"
    done = bash(line, tmp_path)
    assert done.returncode == 0, done.stderr
    proxy.ending = True
    proxy.join(timeout=5)
    _, text = finish(reader)
    assert proxy.passed == counted(done.stderr, "datagrams_out") > 1500 and proxy.repeated > 10
    got = [json.loads(line)["counter"] for line in bash("sp-cat got.avro -j", tmp_path).stdout.splitlines()]
    sent = [r["counter"] for r in rows(tmp_path / "sent.avro")]
    assert got == sorted(set(got)) and set(got) <= set(sent) and len(sent) == 1500
    # on a busy machine a frame may be held up for longer than the receiver waits
    lost = counted(text, "lost_frames")
    assert len(got) + lost == 1500 and counted(text, "late") == lost < 150
    assert counted(text, "repeated") == proxy.repeated


# ------------------------------------------------------------ in a network of its own
def namespace(script, cwd, timeout=60):
    """Runs a shell script in a new network namespace, where it may do what it likes."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("a network namespace cannot be made here")
    script = (
        "set -e; ip link set lo up\n"
        'listening() { until [ "$(ss -Huln "sport = :$1" | wc -l)" -ge ${2:-1} ]; do sleep 0.05; done; }\n'
        'stop() { sleep 0.4; kill -TERM "$@"; for p in "$@"; do wait $p; done; }\n' + script
    )
    done = subprocess.run(
        ["unshare", "-rn", "bash", "-c", script], cwd=cwd, env=ENV, capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("place", ["udp://239.7.7.7:6000", "udp://[ff15::77]:6000", "udp://[ff02::77]:6000"])
def test_a_group_across_two_interfaces(place, tmp_path):
    """Two readers of one group on the far end of a cable, one of another group, one on the near end of no cable."""
    other = place.replace("7:6", "8:6").replace("77]", "78]")
    done = namespace(
        f"""
        ip link add near type veth peer name far
        for i in near far; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; ip link set $i up; done
        ip addr add 10.7.0.1/24 dev near; ip addr add 10.7.1.1/24 dev far
        conf=/proc/sys/net/ipv4/conf
        for i in near far all; do echo 0 > $conf/$i/rp_filter; echo 1 > $conf/$i/accept_local; done
        sp-cat {place},iface=far -o a.avro & a=$!
        sp-cat {place},iface=far -o b.avro & b=$!
        sp-cat {other},iface=far -o c.avro & c=$!
        sp-cat {place},iface=lo -o d.avro & d=$!
        listening 6000 4
        sp-capture sim:telemetry,pace=0 -n 20 -o sent.avro -o {place},iface=near
        stop $a $b $c $d
        """,
        tmp_path,
    )
    sent = rows(tmp_path / "sent.avro")
    assert rows(tmp_path / "a.avro") == rows(tmp_path / "b.avro") == sent and len(sent) == 20, done.stderr
    for name in "cd":
        assert not (tmp_path / f"{name}.avro").exists() or (tmp_path / f"{name}.avro").stat().st_size == 0


def test_a_group_without_a_route_asks_for_an_interface(tmp_path):
    done = namespace("sp-cat udp://239.7.7.7:6000 || echo $?; sp-capture sim:tone -o udp://239.7.7.7:6000 || echo $?", tmp_path)
    assert done.stdout.split() == ["69", "69"] and done.stderr.count("iface=lo for this machine alone") == 2


@pytest.mark.parametrize("percent", [0, 5, 20])
def test_sent_is_received_or_counted_lost(percent, tmp_path):
    """Three channels through a network that drops datagrams: rows of some, samples of one."""
    if not shutil.which("nft"):
        pytest.skip("needs nftables")
    done = namespace(
        f"""
        nft 'add table inet t'; nft 'add chain inet t i {{ type filter hook input priority 0; }}'
        sp-cat udp://127.0.0.1:6000 -v --stats stats.json -o got.avro & cat=$!
        listening 6000
        for k in 1 2; do
          to="-o udp://127.0.0.1:6000,linger=0s -o sent$k.avro"
          sp-capture sim:telemetry,rate=400,seed=$k --name n$k --duration 3s $to & p[k]=$!
        done
        sp-capture sim:tone -s 200k --name n3 --duration 3s -o udp://127.0.0.1:6000 -o sent3.avro & p[3]=$!
        for k in 1 2 3; do until [ -s sent$k.avro.part ]; do sleep 0.05; done; done
        sleep 0.3
        [ {percent} = 0 ] || nft 'add rule inet t i udp dport 6000 numgen random mod 100 < {percent} drop'
        sleep 1.0
        nft 'flush chain inet t i'
        wait ${{p[@]}}
        stop $cat
        """,
        tmp_path,
    )
    found = bash("sp-cat got.avro --info -j", tmp_path)
    facts = {f["channel"]: f for f in map(json.loads, found.stdout.splitlines())}
    assert sorted(facts) == ["n1/capture", "n2/capture", "n3/capture"], (found, done.stderr)
    for k in (1, 2):
        told = facts[f"n{k}/capture"]
        assert told["count"] + told["lost"] == len(rows(tmp_path / f"sent{k}.avro")) == 1200
        assert (told["lost"] > 0) == (percent > 0)
    told = facts["n3/capture"]
    assert told["count"] + told["lost"] == 600_000 and (told["lost"] > 0) == (percent > 0)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["lost"] == told["lost"]
    assert stats.get("lost_frames", 0) >= stats.get("lost_rows", 0) == sum(facts[f"n{k}/capture"]["lost"] for k in (1, 2))
