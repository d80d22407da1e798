"""A real nats-server between real processes: delivery, outages, credentials, the set-up of docs/nats.md."""

import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest
from rig.nats import Server, free_port
from shell import bash, start

from sptools import errors
from sptools.transports import nats
from sptools.transports._natsout import MTU

SOAK = int(os.environ.get("SP_SOAK", "0"))


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path / "server") as s:
        yield s


def take(source, count, seconds=30):
    """`count` messages, or what came in time."""
    got, end = [], time.monotonic() + seconds
    while len(got) < count and time.monotonic() < end:
        got += source.batch(0.5)
    return got


def place(server, subject):
    return f"//127.0.0.1:{server.port}/{subject}"


# ------------------------------------------------------------ the tools
def test_telemetry_from_one_tool_to_another(server, tmp_path):
    """The reader begins in the middle of a live stream, and sees every row from there."""
    sender = start("sp-capture", "sim:telemetry", "-o", f"{server.url}/lab/rig")
    try:
        done = bash(f"sp-cat {server.url}/lab/rig -n 20 -j", tmp_path, timeout=20)
        assert done.returncode == 0, done.stderr
        counters = [json.loads(line)["counter"] for line in done.stdout.splitlines()]
        assert counters == list(range(counters[0], counters[0] + 20))
        sender.terminate()
        assert sender.wait(5) == 0, sender.stderr.read()
    finally:
        sender.kill()
        sender.communicate()


def test_samples_arrive_as_they_were(server, tmp_path):
    done = bash(
        f"sp-capture sim:fm,pace=0 -s 1M --duration 2s -o x.avro -o {server.url}/lab/iq && "
        f"sp-cat {server.url}/lab/iq,since=all --duration 2s -o y.avro && "
        "sp-cat x.avro -o cu8:x.cu8 && sp-cat y.avro -o cu8:y.cu8 && cmp x.cu8 y.cu8 && wc -c < y.cu8", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip() == "4000000", done.stderr
    assert max(len(data) for _, _, data in server.messages("lab")) > 200_000  # whole blocks, not cut to datagrams


def test_a_subtree_has_a_subject_for_each_channel(server, tmp_path):
    bash("sp-capture sim:telemetry,pace=0 -n 10 -o rows.jsonl", tmp_path)
    for node in ("a", "b"):
        done = bash(f"sp-cat rows.jsonl -o {server.url}/site/,channel={node}/capture", tmp_path)
        assert done.returncode == 0, done.stderr
    assert {subject for subject, _, _ in server.messages("site")} == {"site.a.capture", "site.b.capture"}
    done = bash(f"sp-cat {server.url}/site/,since=all -n 20 -j", tmp_path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 20, done.stderr
    done = bash(f"sp-cat {server.url}/site/b/capture,since=all -n 10 -j", tmp_path)
    assert [json.loads(line)["counter"] for line in done.stdout.splitlines()] == list(range(10)), done.stderr


def test_raw_samples_for_the_programs_of_specpipe(server, tmp_path):
    """Messages of exactly their size, samples alone, with the headers that they look for."""
    done = bash(
        "sp-capture sim:fm,pace=0 --duration 2s | sp-demod wbfm -r 32k -o fm.avro -o "
        f"{server.url}/specpipe/data/fm/dev1,wire=raw,size=16384 && sp-cat fm.avro -o ri16_le:fm.raw && "
        f"sp-cat {server.url}/specpipe/data/fm/dev1,wire=raw,rate=32k,datatype=ri16_le,since=all --duration 1s -o back.avro && "
        "sp-cat back.avro --info", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Audio ri16_le" in done.stdout and "holds    32,000 samples" in done.stdout
    found = server.messages("specpipe")
    whole = (tmp_path / "fm.raw").read_bytes()
    assert b"".join(data for _, _, data in found) == whole and len(whole) > 4 * 16384
    assert {len(data) for _, _, data in found[:-1]} == {16384}
    for _, headers, _ in found:
        assert abs(int(headers["ts"]) - time.time()) < 60
        assert len(headers["_watermill_message_uuid"]) == 22
    assert len({headers["_watermill_message_uuid"] for _, headers, _ in found}) == len(found)
    done = bash(f"sp-cat {server.url}/specpipe/data/fm/dev1,wire=raw,rate=32k", tmp_path)
    assert done.returncode == 2 and "datatype=" in done.stderr


def test_lines_of_json(server, tmp_path):
    done = bash(
        f"sp-capture sim:telemetry,pace=0 -n 5 -o jsonl:{server.url}/lab/rows && "
        f"sp-cat jsonl:{server.url}/lab/rows,since=all -n 5 -j", tmp_path,
    )  # fmt: skip
    assert [json.loads(line)["counter"] for line in done.stdout.splitlines()] == list(range(5)), done.stderr
    assert len(server.messages("lab")) == 5


# ------------------------------------------------------------ what goes wrong
@pytest.mark.parametrize(
    "line, code, says",
    [
        ("sp-cat nats://127.0.0.1:1/x,wait=0.2s", 69, "Connect call failed"),
        ("sp-capture sim:telemetry -o nats://127.0.0.1:1/x,wait=0.2s", 69, "Connect call failed"),
        ("sp-cat nats://127.0.0.1", 2, "nats://HOST/SUBJECT"),
        ("sp-cat nats://127.0.0.1/a.b", 2, "part of a subject"),
        ("sp-cat nats://127.0.0.1:99999/a", 2, "not between"),
        ("sp-cat nats://me:secret@127.0.0.1/a", 78, "creds=FILE"),
        ("sp-cat nats://127.0.0.1/a,token=x", 78, "creds=FILE"),
        ("sp-cat nats://127.0.0.1/a,creds=nosuch", 66, "nosuch"),
        ("sp-cat nats://127.0.0.1/a,ca=x.pem", 2, "tls=true"),
        ("sp-cat nats://127.0.0.1/a,core=true,durable=x", 2, "core=true"),
        ("sp-capture sim:telemetry -o nats://127.0.0.1/a,core=true,max_bytes=1MB", 2, "core=true"),
        ("sp-cat nats://127.0.0.1/a,nosuch=1", 2, "durable, since, stream, core"),
    ],
)
def test_status_and_message(line, code, says, tmp_path):
    done = bash(line, tmp_path)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_subject_that_no_stream_keeps(server, tmp_path):
    done = bash(f"sp-cat {server.url}/nobody/here,wait=0.3s", tmp_path)
    assert done.returncode == 69 and "no stream keeps nobody.here" in done.stderr


def test_a_server_without_jetstream(tmp_path):
    with Server(tmp_path / "server", config="") as server:
        done = bash(f"sp-capture sim:telemetry -o {server.url}/a,wait=0.3s", tmp_path)
        assert done.returncode == 69 and "-js" in done.stderr and "core=true" in done.stderr


def test_core_nats_reaches_who_listens(server, tmp_path):
    reader = start("sp-cat", f"{server.url}/live/rig,core=true", "-n", "5", "-j")
    sender = start("sp-capture", "sim:telemetry", "-o", f"{server.url}/live/rig,core=true")
    try:
        out, text = reader.communicate(timeout=20)
        assert reader.returncode == 0 and out.count(b"\n") == 5, text
        sender.terminate()
        assert sender.wait(5) == 0
    finally:
        for process in (reader, sender):
            process.kill()
            process.communicate()
    assert not server.ask("STREAM.NAMES")["streams"]


def test_the_limits_of_a_stream_that_is_made(server):
    nats.write(place(server, "lab/a")).close()
    config = server.ask("STREAM.INFO.lab")["config"]
    assert config["subjects"] == ["lab", "lab.>"] and config["discard"] == "new" and config["storage"] == "file"
    assert (config["max_age"], config["max_bytes"], config["duplicate_window"]) == (86400 * 10**9, 10**9, 600 * 10**9)
    nats.write(place(server, "lab2/a"), stream="other", max_age=60.0, max_bytes=10**6).close()
    config = server.ask("STREAM.INFO.other")["config"]
    assert config["subjects"] == ["lab2.a"] and config["max_age"] == 60 * 10**9 and config["max_bytes"] == 10**6
    with pytest.raises(errors.BadConfig, match="kept by the stream lab"):
        nats.write(place(server, "lab/a"), stream="other")
    with pytest.raises(errors.BadConfig, match="nats stream edit other"):
        nats.write(place(server, "lab3/a"), stream="other")


def test_a_full_stream_is_waited_for(server):
    """Discard new: the sender waits, nothing is lost, and all goes on in order when there is room."""
    out = nats.write(place(server, "full/a"), max_bytes=100_000)
    source = nats.read(place(server, "full/a"), since="all")

    def send():
        for i in range(60):
            out.write(b"%06d" % i + bytes(5_000))
        out.close()

    thread = threading.Thread(target=send)
    thread.start()
    # a thread other than the main one never waits, so the queue is checked here instead
    got = [int(data[:6]) for data in take(source, 15)]
    time.sleep(0.6)
    assert out.notes["unacknowledged"] > 30
    while len(got) < 60:
        server.ask("STREAM.PURGE.full")
        more = take(source, 60 - len(got), 1)
        got += [int(data[:6]) for data in more]
    thread.join(10)
    source.close()
    assert got == list(range(60))
    assert "unacknowledged" not in out.notes


def test_a_message_that_is_too_long(server):
    out = nats.write(place(server, "lab/a"))
    assert out.mtu == MTU == (1 << 20) - 4096
    out.write(bytes(MTU))
    with pytest.raises(errors.BadConfig, match="takes"):
        out.write(bytes(MTU + 1))
    out.close()
    assert len(server.messages("lab")) == 1


# ------------------------------------------------------------ outages
def outage(server, cuts, between, cut, count=4000):
    """Numbered messages from a sender to a durable reader, the server cut off now and then."""
    out = nats.write(place(server, "lab/a"))
    source = nats.read(place(server, "lab/a"), durable="store")
    got, stop = [], threading.Event()

    def receive():
        while not stop.is_set():
            got.extend(int(data[:8]) for data in source.batch(0.2))

    def disturb():
        for _ in range(cuts):
            time.sleep(between)
            cut()

    threads = [threading.Thread(target=receive), threading.Thread(target=disturb)]
    for thread in threads:
        thread.start()
    i = 0
    while threads[1].is_alive() or i < count:
        out.write(b"%08d" % i + bytes(2000))
        i += 1
        time.sleep(0.0005)
    out.close()
    end = time.monotonic() + 20
    while len(got) < i and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    threads[0].join(5)
    source.close()
    assert got == list(range(i))
    assert out.notes["reconnects"] >= cuts and "unacknowledged" not in out.notes
    found = server.messages("lab")
    assert [int(data[:8]) for _, _, data in found] == list(range(i))
    assert len({headers["Nats-Msg-Id"] for _, headers, _ in found}) == i


@pytest.mark.timeout(400)
def test_a_server_that_is_stopped_for_a_while(server):
    def cut():
        server.end(signal.SIGTERM)
        time.sleep(180 if SOAK else 3)
        server.start()

    outage(server, 1, 0.5, cut)


def test_a_server_that_is_killed(server):
    def cut():
        server.end(signal.SIGKILL)
        server.start()

    outage(server, 15 if SOAK else 3, 0.7, cut)


def test_the_tools_over_an_outage(server, tmp_path):
    """Every row of a file, once and in order, though the server is killed while they flow."""
    sender = start("sp-capture", "sim:telemetry", "-n", "60", "-v", "-o", f"{server.url}/lab/rows")
    time.sleep(2)
    server.end(signal.SIGKILL)
    time.sleep(1)
    server.start()
    _, text = sender.communicate(timeout=20)
    assert sender.returncode == 0 and b"reconnects 1" in text, text
    done = bash(f"sp-cat {server.url}/lab/rows,since=all -n 60 -j", tmp_path, timeout=20)
    assert [json.loads(line)["counter"] for line in done.stdout.splitlines()] == list(range(60)), done.stderr


def test_a_durable_reader_goes_on_where_it_stopped(server):
    out = nats.write(place(server, "lab/a"))
    for i in range(1000):
        out.write(b"%d" % i)
    out.close()
    source = nats.read(place(server, "lab/a"), durable="store")
    first = take(source, 300)
    source.batch(0.1)  # acknowledges them; what it gives is not done when we leave
    source.close()
    source = nats.read(place(server, "lab/a"), durable="store")
    second = take(source, 1000 - len(first))
    source.batch(0.1)
    source.close()
    assert [int(x) for x in first + second] == list(range(1000))
    source = nats.read(place(server, "lab/a"), durable="store")
    assert source.batch(0.3) == []
    source.close()
    with pytest.raises(errors.BadConfig, match="exists for something else"):
        nats.read(place(server, "lab/b"), durable="store")


def test_a_durable_reader_that_is_killed(server, tmp_path):
    """At least once: what was in hand comes again, in order, before what follows it."""
    out = nats.write(place(server, "lab/a"))
    code = (
        "from sptools.transports import nats; import os\n"
        f"s = nats.read({place(server, 'lab/a')!r}, durable='store')\n"
        "got = 0\n"
        "while got < 600: got += len(s.batch())\n"
        "s.batch(0.2); print(got, flush=True); os.kill(os.getpid(), 9)\n"
    )
    for i in range(2000):
        out.write(b"%d" % i)
    out.close()
    done = bash(f'python -c "{code}"', tmp_path)
    got = int(done.stdout)
    source = nats.read(place(server, "lab/a"), durable="store")
    numbers = [int(x) for x in take(source, 1)]
    numbers += [int(x) for x in take(source, 2000 - numbers[0] - len(numbers))]
    source.close()
    assert numbers == list(range(numbers[0], 2000)) and 0 < numbers[0] <= got
    assert [c["name"] for c in server.ask("CONSUMER.LIST.lab")["consumers"]] == ["store"]


def test_a_reader_that_is_killed_while_its_consumer_is_made_anew(server):
    """The second consumer keeps the place."""
    out = nats.write(place(server, "lab/a"))
    for i in range(10):
        out.write(b"%d" % i)
    out.close()
    config = {"durable_name": "store_resume", "ack_policy": "explicit", "deliver_policy": "by_start_sequence",
              "opt_start_seq": 5, "filter_subject": "lab.a"}  # fmt: skip
    server.ask("CONSUMER.DURABLE.CREATE.lab.store_resume", {"stream_name": "lab", "config": config})
    source = nats.read(place(server, "lab/a"), durable="store", since="new")
    assert [int(x) for x in take(source, 6)] == [4, 5, 6, 7, 8, 9]
    source.close()


@pytest.mark.parametrize("durable", [None, "store"])
def test_a_consumer_that_somebody_removes(server, durable):
    out = nats.write(place(server, "lab/a"))
    source = nats.read(place(server, "lab/a"), since="all", durable=durable)
    for i in range(20):
        out.write(b"%d" % i)
    got = take(source, 20)
    (name,) = [c["name"] for c in server.ask("CONSUMER.LIST.lab")["consumers"]]
    server.ask(f"CONSUMER.DELETE.lab.{name}")
    for i in range(20, 40):
        out.write(b"%d" % i)
    out.close()
    got += take(source, 20)
    source.close()
    assert [int(x) for x in got] == list(range(40)) and source.notes["reconnects"] == 1


@pytest.mark.parametrize("line", ["sp-capture sim:telemetry -v -o {}", "sp-cat {},since=all -v -o /dev/null"])
def test_sigterm_with_a_server_that_is_gone(server, line):
    nats.write(place(server, "lab/a")).close()
    process = start(*line.format(f"{server.url}/lab/a").split())
    time.sleep(1.5)
    server.end(signal.SIGKILL)
    time.sleep(1)
    began = time.monotonic()
    process.terminate()
    _, text = process.communicate(timeout=10)
    assert process.returncode == 0 and time.monotonic() - began < 5, text
    assert b"Traceback" not in text and b"connection is lost" in text, text
    if "capture" in line:
        assert b"unacknowledged" in text


# ------------------------------------------------------------ who may
def test_a_token(tmp_path):
    (tmp_path / "token").write_text("mytoken\n")
    with Server(tmp_path / "server", 'authorization { token: "mytoken" }\njetstream { store_dir: $STORE }\n') as server:
        line = f"sp-capture sim:telemetry,pace=0 -n 3 -o {server.url}/a"
        done = bash(line, tmp_path)
        assert done.returncode == 77 and "creds=FILE" in done.stderr, done.stderr
        assert bash(f"{line},creds=token", tmp_path).returncode == 0
        assert bash(line, tmp_path, NATS_TOKEN="mytoken").returncode == 0
        done = bash(line, tmp_path, NATS_TOKEN="wrong")
        assert done.returncode == 77 and "wrong" not in done.stderr


def test_a_user_an_nkey_and_what_they_may(tmp_path):
    import nkeys

    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(seed).public_key.decode()
    (tmp_path / "seed").write_bytes(bytes(seed))
    (tmp_path / "user").write_text("ann:secret\n")
    config = f"""
        authorization {{ users: [
            {{ user: ann, password: secret, permissions: {{ publish: ["$JS.API.>", "lab.>"], subscribe: ["_INBOX.>"] }} }}
            {{ nkey: {public} }}
        ] }}
        jetstream {{ store_dir: $STORE }}
    """
    with Server(tmp_path / "server", config) as server:
        line = "sp-capture sim:telemetry,pace=0 -n 3 -o {}/{},creds={}"
        for creds in ("user", "seed"):
            assert bash(line.format(server.url, "lab/a", creds), tmp_path).returncode == 0
        done = bash(line.format(server.url, "other/a", "user"), tmp_path)
        assert done.returncode == 77 and "does not allow" in done.stderr, done.stderr
        assert bash(line.format(server.url, "other/a", "seed"), tmp_path).returncode == 0


def certificate(folder, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


def test_tls(tmp_path):
    for name in ("right", "wrong"):
        certificate(tmp_path, name)
    tls = f'tls {{ cert_file: "{tmp_path}/right.pem", key_file: "{tmp_path}/right.key" }}\n'
    with Server(tmp_path / "server", tls + "jetstream { store_dir: $STORE }\n") as server:
        line = f"sp-capture sim:telemetry,pace=0 -n 3 -o {server.url}/a"
        assert bash(f"{line},tls=true,ca=right.pem", tmp_path).returncode == 0
        for keys in (",tls=true,ca=wrong.pem", ",tls=true", ""):
            done = bash(line + keys, tmp_path)
            assert done.returncode == 77 and "not trusted" in done.stderr, done.stderr


# ------------------------------------------------------------ how fast
def test_blocks_of_256_kib_into_files(server, capsys):
    data = os.urandom(262_144)
    out = nats.write(place(server, "lab/iq"))
    began = time.monotonic()
    for _ in range(200):
        out.write(data)
    out.close()
    rate = 200 * len(data) / (time.monotonic() - began) / 1e6
    source = nats.read(place(server, "lab/iq"), since="all")
    began = time.monotonic()
    got = take(source, 200)
    back = sum(map(len, got)) / (time.monotonic() - began) / 1e6
    source.close()
    with capsys.disabled():
        print(f"\nJetStream, files, 256 KiB: in {rate:.0f} MB/s, out {back:.0f} MB/s")
    assert len(got) == 200 and set(got) == {data}
    assert rate > 20 and back > 20


# ------------------------------------------------------------ docs/nats.md
def blocks():
    """Name → text of the files that the document shows."""
    text = (Path(__file__).parents[2] / "docs" / "nats.md").read_text()
    return dict(re.findall(r"^```(\S+)\n(.*?)^```$", text, re.M | re.S))


def test_the_set_up_of_the_document(tmp_path, monkeypatch):
    """Its files start: a site with its permissions, and a leaf that is cut off from its hub for a while."""
    files = blocks()
    assert set(files) == {"hub.conf", "sptools.json", "edge.conf", "site-02.json"}
    for name in ("ARCHIVE", "SITE_01", "LEAF_02"):
        monkeypatch.setenv(name, f"hush_{name}")
    (tmp_path / "archive").write_text("archive:hush_ARCHIVE")
    (tmp_path / "site").write_text("site-01:hush_SITE_01")
    certificate(tmp_path, "hub")
    leaf = free_port()

    def server(name, listen):
        text = files[name].replace("/etc/nats/ca.pem", "/etc/nats/hub.pem").replace("/etc/nats", str(tmp_path))
        text = text.replace('"/var/lib/nats"', "$STORE").replace("PASSWORD@hub:7422", f"hush_LEAF_02@127.0.0.1:{leaf}")
        return Server(tmp_path / name, text.replace("0.0.0.0:7422", f"127.0.0.1:{leaf}").replace(f'listen: "{listen}"\n', "", 1))

    archive = {"user": "archive", "password": "hush_ARCHIVE", "tls": ssl.create_default_context(cafile=tmp_path / "hub.pem")}
    tls = ",tls=true,ca=hub.pem,creds="
    with server("hub.conf", "0.0.0.0:4222") as hub, server("edge.conf", "127.0.0.1:4222") as edge:
        made = hub.ask("STREAM.CREATE.sptools", json.loads(files["sptools.json"]), **archive)
        assert "error" not in made, made
        line = f"sp-capture sim:telemetry,pace=0 -n 5 -o {hub.url}/sptools/{{}}/rows{tls}site"
        assert bash(line.format("site-01"), tmp_path).returncode == 0
        done = bash(line.format("site-09"), tmp_path)
        assert done.returncode == 77 and "does not allow" in done.stderr, done.stderr
        done = bash(f"sp-cat {hub.url}/sptools/,durable=archive{tls}archive -n 5 -j", tmp_path)
        assert done.returncode == 0 and done.stdout.count("\n") == 5, done.stderr

        line = f"sp-capture sim:telemetry,pace=0 -n 50 -o {edge.url}/site-02/rows,max_bytes=1GB"
        assert bash(line, tmp_path).returncode == 0
        hub.end(signal.SIGKILL)
        assert bash(line, tmp_path).returncode == 0
        hub.start()
        end = time.monotonic() + 20
        while "Leafnode connection created" not in (tmp_path / "hub.conf" / "nats.log").read_text().rpartition("Starting")[2]:
            assert time.monotonic() < end
            time.sleep(0.1)
        made = hub.ask("STREAM.CREATE.site-02", json.loads(files["site-02.json"]), **archive)
        assert "error" not in made, made
        done = bash(f"sp-cat {hub.url}/site-02/,stream=site-02,durable=archive{tls}archive -n 100 -j", tmp_path)
        assert done.returncode == 0, done.stderr
        assert [json.loads(row)["counter"] for row in done.stdout.splitlines()] == 2 * list(range(50))
