"""sp-send with real processes: what a spool keeps through an outage, its bounds, pacing, schemas, statuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import fastavro
import pytest
from network import STARTED, authority, free_port, listening, none_left, stop, until, wait_for  # noqa: F401 - a fixture
from shell import ENV, bash, start

SOAK = int(os.environ.get("SP_SOAK", "0"))
HERE = Path(__file__).parent
ROWS = """
import sys, time
n, pause, size = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
for i in range(n):
    print('{"n": %d, "pad": "%s"}' % (i, "x" * size), flush=True)
    time.sleep(pause)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.py").write_text(ROWS)
    return tmp_path


def peer(port, path="got.jsonl"):
    """A receiver that answers, as a process."""
    root = str(HERE.parents[1])
    process = subprocess.Popen(
        [sys.executable, HERE / "ackpeer.py", str(port), path], env={**ENV, "PYTHONPATH": root},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    STARTED.append(process)
    assert process.stdout.readline() == b"ready\n"
    return process


def end(process):
    process.kill()
    process.communicate()


def stored(path="got.jsonl"):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def numbers(path="got.jsonl"):
    return [n for line in stored(path) for n in line["rows"]]


class sender:
    """Rows, one after the other, into an sp-send with a spool; like its Popen."""

    def __init__(self, n, port, *more, pause=0.002, size=300):
        self.feed = start("python3", "rows.py", n, pause, size)
        words = ("jsonl:-", f"tcp://127.0.0.1:{port}", "--spool", "spool", *more, "--stats", "stats.json")
        self.process = start("sp-send", *words, stdin=self.feed.stdout)
        self.feed.stdout.close()
        STARTED.extend((self.feed, self.process))

    def __getattr__(self, name):
        return getattr(self.process, name)

    def end(self, seconds=60):
        """Its status and stderr."""
        _, text = self.process.communicate(timeout=seconds)
        self.feed.wait(5)
        self.feed.stderr.close()
        return self.process.returncode, text.decode()


def tally():
    return json.loads(Path("stats.json").read_text())


# ------------------------------------------------------------ the spool
@pytest.mark.timeout(300)
@pytest.mark.parametrize("gone", [3] if not SOAK else [3, 10, 60])
def test_a_peer_killed_and_gone_for_a_while(gone, here):
    """Nothing is lost, nothing is stored twice."""
    port = free_port()
    receiver = peer(port)
    n = int((gone + 3) / 0.0025)
    p = sender(n, port)
    wait_for(lambda: len(stored()) > 5)
    end(receiver)
    time.sleep(gone)
    assert p.poll() is None
    receiver = peer(port)
    code, text = p.end(40 + 2 * gone)
    assert code == 0 and "trying again" in text
    end(receiver)
    assert numbers() == list(range(n))
    assert tally()["connections"] >= 2 and tally()["lost"] == 0
    assert not list(Path("spool").glob("*.avro")), "all is acknowledged"


def test_a_peer_killed_again_and_again(here):
    port, n = free_port(), 3000
    p = sender(n, port)
    for i in range(4 if not SOAK else SOAK):
        receiver = peer(port)
        seen = len(stored())
        wait_for(lambda seen=seen: len(stored()) > seen + 3 or p.poll() is not None, 40)
        end(receiver)
        if p.poll() is not None:
            break
        assert i >= 0
    receiver = peer(port)
    code, text = p.end()
    assert code == 0, text
    end(receiver)
    assert numbers() == list(range(n))


def test_a_sender_killed_and_started_again(here):
    """What was in the spool when it was killed comes after the restart; the source's rest it never saw."""
    port = free_port()
    p = sender(100_000, port, pause=0.001)
    wait_for(lambda: sum(f.stat().st_size for f in Path("spool").glob("*.avro")) > 100_000 if Path("spool").exists() else 0)
    p.kill()
    assert p.end()[0] == -signal.SIGKILL
    receiver = peer(port)
    done = bash(f"sp-send tcp://127.0.0.1:{port} --spool spool < /dev/null")
    assert done.returncode == 0, done.stderr
    assert "of an earlier run" in done.stderr
    end(receiver)
    found = numbers()
    assert found == list(range(len(found))) and len(found) > 200


def test_sigterm_with_a_dead_peer_keeps_the_spool(here):
    port = free_port()
    bash("python3 rows.py 500 0 300 > rows.jsonl")
    p = start("sp-send", "jsonl:rows.jsonl", f"tcp://127.0.0.1:{port}", "--spool", "spool2")
    until(p, "trying again")
    code, text, took = stop(p)
    assert code == 0 and took <= 5 and "stay in the spool" in text, (code, text, took)
    receiver = peer(port)
    done = bash(f"sp-send tcp://127.0.0.1:{port} --spool spool2 < /dev/null")
    assert done.returncode == 0, done.stderr
    end(receiver)
    assert numbers() == list(range(500))


@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest"])
def test_what_the_bound_costs_is_counted_and_shows_as_a_gap(policy, here):
    port, n = free_port(), 3000
    p = sender(n, port, "--spool-max", "200kB", "--when-full", policy, pause=0.0005)
    time.sleep(4.5)
    assert sum(f.stat().st_size for f in Path("spool").glob("*.avro")) <= 200_000
    receiver = peer(port)
    code, text = p.end()
    assert code == 0, text
    end(receiver)
    found = numbers()
    dropped = tally()["spool_dropped_rows"]
    assert dropped > 500 and "spool_dropped" in text
    assert found == sorted(set(found)) and len(found) + dropped == n
    told = sum(line["lost"] for line in stored())
    tail = n - 1 - found[-1]  # the newest that went have nobody after them to tell of it
    assert told + tail == dropped
    assert (found[-1] == n - 1) or policy == "drop-newest"


def test_a_full_spool_holds_up_the_source(here):
    port, n = free_port(), 3000
    p = sender(n, port, "--spool-max", "200kB", pause=0)
    time.sleep(2)
    assert p.poll() is None
    receiver = peer(port)
    code, text = p.end()
    assert code == 0, text
    end(receiver)
    assert numbers() == list(range(n)) and tally().get("spool_dropped", 0) == 0


def test_fail_fast_and_statuses(here):
    rows = "echo '{\"n\": 1}' | sp-send jsonl:-"
    for line, code, says in (
        (f"{rows} tcp://127.0.0.1:1 --spool s --fail-fast", 69, "is it running there?"),
        (f"{rows} tcp://127.0.0.1:1", 69, "is it running there?"),
        (f"{rows} udp://127.0.0.1:26000 --spool s", 2, "use tcp, tls or unix"),
        (f"{rows} x.avro --spool s", 2, "use tcp, tls or unix"),
        (f"{rows} tcp://:7000 --spool s", 2, "connected to"),
        (f"{rows} unix:s --spool s", 2, "listen=no"),
        (f"{rows} jsonl:tcp://127.0.0.1:1 --spool s", 2, "Avro blocks"),
        (f"{rows} tcp://127.0.0.1:1 --fail-fast", 2, "--spool"),
        (f"{rows} tcp://127.0.0.1:1 --spool s --when-full nosuch", 2, "drop-oldest"),
        (f"{rows} tcp://127.0.0.1:1 --spool s --spool-max 5M", 2, "two readings"),
        ("sp-send", 2, ""),
        ("sp-send tcp://127.0.0.1:1 --spool s2 < /dev/null", 66, "stdin"),
        (f"touch f; {rows} tcp://127.0.0.1:1 --spool f/s", 73, "cannot be made"),
    ):
        done = bash(line)
        assert done.returncode == code and says in done.stderr, (line, done.returncode, done.stderr)
        assert "Traceback" not in done.stderr and "bug" not in done.stderr


def test_a_failing_courier_wakes_who_waits_for_input(here):
    """The peer's certificate is refused while the source is silent: 77, at once."""
    authority(here)
    port = free_port()
    receiver = listening("sp-cat", f"tls://:{port},cert=server.pem,key=server.key", "-o", "y.avro")
    p = start("sp-send", "jsonl:-", f"tls://127.0.0.1:{port},ca=other.pem", "--spool", "s", stdin=subprocess.PIPE)
    p.stdin.write(b'{"n": 1}\n')
    p.stdin.flush()
    assert p.wait(10) == 77
    assert b"refused" in p.stderr.read()
    p.communicate()
    end(receiver)


def test_a_spool_over_tls(here):
    authority(here)
    port = free_port()
    receiver = listening("sp-cat", f"tls://:{port},once=yes,cert=server.pem,key=server.key", "-o", "y.avro")
    done = bash(f"python3 rows.py 2000 0 300 | sp-send jsonl:- tls://127.0.0.1:{port},ca=ca.pem --spool s -v")
    assert done.returncode == 0 and "unconfirmed" in done.stderr, done.stderr
    assert receiver.wait(10) == 0
    receiver.communicate()
    with open("y.avro", "rb") as file:
        assert [r["n"] for r in fastavro.reader(file)] == list(range(2000))


# ------------------------------------------------------------ without one
def test_a_peer_that_leaves_ends_it_with_69(here):
    server = socket.create_server(("127.0.0.1", 0))
    p = start("bash", "-c", f"python3 rows.py 100000 0 1000 | exec sp-send jsonl:- tcp://127.0.0.1:{server.getsockname()[1]}")
    connection, _ = server.accept()
    connection.recv(10_000)
    connection.close()
    assert p.wait(20) == 69
    p.communicate()


@pytest.mark.parametrize("spool", ["", "--spool s"])
def test_max_rate(spool, here):
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port},once=yes", "-o", "y.avro")
    assert bash("sp-capture sim:tone,pace=0 -s 1M --duration 1s -o x.avro").returncode == 0
    done = bash(f"sp-send x.avro tcp://127.0.0.1:{port} --max-rate 1MB {spool} --stats t.json")
    assert done.returncode == 0, done.stderr
    assert receiver.wait(10) == 0
    receiver.communicate()
    assert 1.6 < json.loads(Path("t.json").read_text())["elapsed_s"] < 4
    assert bash("sp-cat y.avro -j").stdout == bash("sp-cat x.avro -j").stdout


def test_realtime(here):
    assert bash("sp-capture sim:tone,pace=0 -s 1M --duration 1.5s -o x.avro").returncode == 0
    done = bash("sp-send x.avro y.avro --realtime --stats t.json && sp-send x.avro z.avro --stats u.json")
    assert done.returncode == 0, done.stderr
    assert 1.4 < json.loads(Path("t.json").read_text())["elapsed_s"] < 2.5
    assert json.loads(Path("u.json").read_text())["elapsed_s"] < 1


def test_print_schema(here):
    Path("x.jsonl").write_text('{"time": "2026-01-01T00:00:00Z", "pressure_kPa": 101.3, "on": true}\n')
    for line in ("sp-send jsonl:- tcp://127.0.0.1:1 --print-schema < x.jsonl", "sp-send x.jsonl - --print-schema"):
        done = bash(line)
        assert done.returncode == 0, done.stderr
        schema = json.loads(done.stdout)
        assert {f["name"]: f["type"][0] for f in schema["fields"]} == {"time": "null", "pressure_kPa": "null", "on": "null"}
        assert fastavro.parse_schema(schema)


def test_lines_with_a_schema_and_csv(here):
    schema = {"type": "record", "name": "t", "fields": [{"name": "n", "type": "long"}]}
    Path("t.avsc").write_text(json.dumps(schema))
    Path("x.csv").write_text("n\n1\n2\n")
    for source in ("csv:x.csv", "csv:x.csv,schema=t.avsc"):
        port = free_port()
        receiver = listening("sp-cat", f"tcp://:{port},once=yes", "-o", "y.avro")
        done = bash(f"sp-send {source} tcp://127.0.0.1:{port}")
        assert done.returncode == 0, done.stderr
        assert receiver.wait(10) == 0
        receiver.communicate()
        with open("y.avro", "rb") as file:
            assert [r["n"] for r in fastavro.reader(file)] == [1, 2]


def test_one_place_is_where_stdin_goes(here):
    port = free_port()
    receiver = listening("sp-cat", f"tcp://:{port},once=yes", "-o", "y.avro")
    done = bash(f"sp-capture sim:telemetry,pace=0 --duration 2s -o x.avro && sp-send tcp://127.0.0.1:{port} < x.avro")
    assert done.returncode == 0, done.stderr
    assert receiver.wait(10) == 0
    receiver.communicate()
    assert bash("sp-cat y.avro -j").stdout == bash("sp-cat x.avro -j").stdout
