"""sp-relay with real processes and sockets, in a network namespace of its own."""

import os
import subprocess

import pytest
from net import needs_namespace, script
from shell import bash

pytestmark = needs_namespace
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")


def test_source_to_relay_to_a_second_reader(tmp_path):
    """The cache and a reader of the group both have what the source made."""
    script(
        """
        process = relay("--publish", f"udp://{GROUP}:{OUT},iface=lo")
        reader = subprocess.Popen([str(BIN / "sp-cat"), f"udp://{GROUP}:{OUT},iface=lo", "-o", "heard.avro"])
        time.sleep(1)
        made = subprocess.run([str(BIN / "sp-capture"), "sim:telemetry,pace=0", "--duration", "20s", "-o", "made.avro"])
        subprocess.run([str(BIN / "sp-send"), "made.avro", f"udp://127.0.0.1:{PORT}"], check=True)
        time.sleep(0.6)
        end(process)
        reader.send_signal(signal.SIGTERM)
        assert reader.wait(10) == 0
        made, heard = (list(fastavro.reader(open(name, "rb"))) for name in ("made.avro", "heard.avro"))
        (channel,) = stats()["channels"]
        assert made == heard == rows(channel) and len(made) == 200
        """,
        tmp_path,
    )


def test_four_channels_and_many_rotations(tmp_path):
    script(
        """
        process = relay("--rotate", "100kB")
        senders = [Sender(f"node/{name}", pad=name * size) for name, size in zip("abcd", (10, 10, 300, 2000))]
        for sender in senders:
            sender.announce()
        for i in range(3000):
            for sender in senders:
                sender.send()
            if i % 30 == 0:
                time.sleep(0.01)
        time.sleep(0.3)
        end(process)
        for sender in senders:
            assert [row["n"] for row in rows(sender.start.channel)] == list(range(3000))
        assert all(notes == {"frames": 3000, "rows": 3000} for notes in stats()["channels"].values()), stats()
        sizes = [p.stat().st_size for p in segments("node/d")]
        assert len(sizes) > 20 and max(sizes) <= 100_000
        """,
        tmp_path,
    )


def test_unread_stdout_holds_nothing_up(tmp_path):
    script(
        """
        process = relay("-vv", stdout=subprocess.PIPE)
        sender = Sender()
        sender.announce()
        one = sender.datagram()
        at = len(sender.begin) + 8
        for seq in range(100_000):
            sender.put(one[:at] + seq.to_bytes(8, "little") + one[at + 8 :])
            if seq % 1000 == 0:
                time.sleep(0.005)
        time.sleep(0.5)
        end(process)
        assert stats()["channels"]["rig"] == {"frames": 100_000, "rows": 100_000}, stats()
        assert len(rows()) == 100_000
        """,
        tmp_path,
    )


@pytest.mark.parametrize("percent", [1, 20, 50])
def test_what_is_lost_is_counted_exactly(tmp_path, percent):
    """Lost, repeated and reordered by a seeded proxy; variable sizes too."""
    script(
        f"""
        import random
        rng, percent = random.Random({percent}), {percent}
        process = relay()
        senders = [Sender("a"), Sender("b", pad="")]
        sent = dict()
        for sender in senders:
            sender.announce()
            queue = []
            for i in range(4000):
                if sender.start.channel == "b":
                    sender.pad = "y" * rng.randrange(60)
                queue.append((i + (rng.random() * 20 if rng.random() < 0.02 else 0), sender.datagram()))
                if rng.random() < 0.01:
                    queue.append((i + rng.random() * 30, queue[-1][1]))
            kept, gone, seen = 0, set(), set()
            for k, (_, data) in enumerate(sorted(queue, key=lambda pair: pair[0])):
                seq = frame.decode(data).seq
                if rng.random() * 100 >= percent:
                    seen.add(seq)
                    sender.put(data)
                if k % 200 == 0:
                    time.sleep(0.002)
            sender.announce()
            sent[sender.start.channel] = seen
        time.sleep(0.5)
        end(process)
        for name, seen in sent.items():
            notes, stored = stats()["channels"][name], [row["n"] for row in rows(name)]
            assert len(stored) == len(set(stored)) == notes["frames"]
            assert stored == sorted(stored) and set(stored) <= seen
            assert notes["frames"] + notes["lost_frames"] == 4000, notes
            assert notes["lost_frames"] - notes.get("late", 0) == 4000 - len(seen), notes
        """,
        tmp_path,
    )
    total = bash("sp-cat cache/ --info --channel a", tmp_path).stdout
    assert "rows" in total


def test_sigterm_with_a_backlog_stores_all_of_it(tmp_path):
    script(
        """
        process = relay()
        sender = Sender(pad="z" * 500)
        sender.announce()
        time.sleep(0.2)
        process.send_signal(signal.SIGSTOP)
        n = 20_000 if os.geteuid() == 0 else 1500
        sender.send(n)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        end(process)
        assert [row["n"] for row in rows()] == list(range(n))
        """,
        tmp_path,
    )


def test_sigterm_under_load(tmp_path):
    script(
        """
        process = relay("--publish", f"udp://{GROUP}:{OUT},iface=lo")
        child = os.fork()
        if not child:
            sender = Sender(pad="z" * 500)
            while True:
                sender.announce()
                sender.send(1000)
        time.sleep(1)
        end(process)
        os.kill(child, 9)
        notes = stats()["channels"]["rig"]
        assert notes["frames"] == len(rows()) > 1000
        """,
        tmp_path,
    )


def test_sigkill_leaves_what_fastavro_opens(tmp_path):
    script(
        """
        process = relay("--rotate", "50kB")
        sender = Sender()
        sender.announce()
        for _ in range(30):
            sender.send(100)
            time.sleep(0.03)
        time.sleep(0.3)
        process.kill()
        process.wait()
        (part,) = segments(suffix=".avro.part")
        found = rows()
        with part.open("rb") as file:
            found += list(fastavro.reader(file))
        assert [row["n"] for row in found] == list(range(3000))
        process = relay()
        assert not segments(suffix=".part")
        assert [row["n"] for row in rows()] == list(range(3000))
        assert "closed with" in end(process)
        """,
        tmp_path,
    )


def test_announcements_and_frames_are_published_byte_for_byte(tmp_path):
    script(
        """
        process = relay("--publish", f"udp://{GROUP}:{OUT},iface=lo")
        reader, sender, sent = Reader(), Sender(), []
        put = sender.put
        sender.put = lambda data: (sent.append(data), put(data))
        for size in (20, 20, 900, 3):
            sender.pad = "p" * size
            sender.announce()
            sender.send(100)
            time.sleep(0.1)
        put(b"neither")
        assert reader.all() == sent
        end(process)
        assert stats()["malformed"] == 1
        """,
        tmp_path,
    )


def test_a_second_live_boot_has_a_folder_of_its_own(tmp_path):
    script(
        """
        process = relay()
        first, second = Sender(boot=b"AAAAAAAA"), Sender(boot=b"BBBBBBBB")
        for sender in (first, second):
            sender.announce()
        for _ in range(20):
            first.send(10), second.send(10)
            time.sleep(0.02)
        time.sleep(0.3)
        said = end(process)
        assert "a second sender is alive" in said
        assert [row["n"] for row in rows()] == list(range(200))
        assert [row["n"] for row in rows("rig~" + b"BBBBBBBB".hex())] == list(range(200))
        """,
        tmp_path,
    )


def test_a_restarted_sender_keeps_the_folder(tmp_path):
    script(
        """
        process = relay()
        for boot in (b"AAAAAAAA", b"BBBBBBBB"):
            sender = Sender(boot=boot)
            sender.announce()
            sender.send(50)
            time.sleep(0.2)
        time.sleep(2)
        end(process)
        assert [row["n"] for row in rows()] == [*range(50), *range(50)]
        assert len(segments()) == 2 and os.listdir("cache") == ["rig"]
        assert stats()["lost_frames"] == 0
        """,
        tmp_path,
    )


def test_unannounced_frames_wait_and_are_then_kept_raw(tmp_path):
    script(
        """
        process = relay()
        late, never = Sender("late"), Sender("never")
        late.send(30), never.send(40)
        time.sleep(0.5)
        late.announce()
        time.sleep(2.5)
        late.send(5), never.send(5)
        time.sleep(0.3)
        end(process)
        assert [row["n"] for row in rows("late")] == list(range(35))
        raw = rows("never.unknown")
        assert [(row["channel"], row["schema"], row["count"]) for row in raw] == [("never", never.id, 1)] * 45
        assert [int.from_bytes(row["seq"], "little") for row in raw] == list(range(45))
        assert not segments("never")
        assert stats()["channels"]["never"] == {"unannounced": 45}, stats()
        """,
        tmp_path,
    )


def test_malformed_ones_are_counted_and_some_kept(tmp_path):
    script(
        """
        process = relay()
        sender = Sender()
        sender.announce()
        good = sender.datagram()
        bad = [b"what", good[:-1], good[:30], b"Obj\\x01 no header", frame.MARK, good[:10] + b"\\xff" * 40, bytes(2000)]
        for data in [*bad * 20, good]:
            sender.put(data)
        time.sleep(0.3)
        end(process)
        assert stats()["malformed"] == 140 and stats()["frames"] == 1
        kept = [row["data"] for row in rows("relay.bad")]
        assert kept and set(kept) <= set(bad) and len(kept) <= 20
        """,
        tmp_path,
    )


@AS_ROOT
def test_a_full_disk_does_not_stop_publishing(tmp_path):
    script(
        """
        os.mkdir("cache")
        libc = __import__("ctypes").CDLL(None)
        assert libc.unshare(0x20000) == 0 and libc.mount(b"none", b"/", None, 0x44000, None) == 0
        assert libc.mount(b"tmpfs", os.path.abspath("cache").encode(), b"tmpfs", 0, b"size=1m") == 0
        process = relay("--publish", f"udp://{GROUP}:{OUT},iface=lo")
        reader, sender = Reader(), Sender(pad="q" * 1000)
        sender.announce()
        for _ in range(40):
            sender.send(100)
            time.sleep(0.02)
        got = reader.all()
        said = end(process, status=74)
        assert len(got) == 4001
        assert "publishing goes on" in said and "No space left" in said
        notes = stats()["channels"]["rig"]
        assert notes["frames"] == 4000 and notes["not_stored"] > 2000
        """,
        tmp_path,
    )


def test_decimated(tmp_path):
    script(
        """
        process = relay("--decimated", f"udp://{GROUP}:{OUT},iface=lo", "--every", "10", "--how", "mean")
        reader, sender = Reader(), Sender()
        sender.announce()
        for _ in range(10):
            sender.send(33)
            time.sleep(0.02)
        time.sleep(0.3)
        end(process)
        got = reader.all()
        header, start = announce.decode(got[0])
        target, means, seqs = fastavro.parse_schema(header.schema), [], []
        for data in got:
            if data.startswith(frame.MARK):
                f = frame.decode(data)
                assert f.boot == start.boot != sender.boot and f.schema == announce.schema_of(header)
                fo = io.BytesIO(f.body)
                means += [fastavro.schemaless_reader(fo, target)["n"] for _ in range(f.count)]
                seqs.append(f.seq)
        assert means == [k * 10 + 4.5 for k in range(33)]
        assert seqs == list(range(len(seqs)))
        assert (start.source["every"], start.source["how"]) == (10, "mean")
        assert announce.decode(got[-1])[1].first == len(seqs)
        """,
        tmp_path,
    )


def test_retention_and_rotation_by_time(tmp_path):
    script(
        """
        process = relay("--rotate-time", "0.3s", "--keep", "1s")
        sender, most = Sender(), 0
        for _ in range(40):
            sender.announce()
            sender.send(20)
            time.sleep(0.1)
            most = max(most, len(segments()))
        first = rows()[0]["n"] if segments() else 0
        end(process)
        assert 3 <= most <= 9 and first > 100
        assert stats()["frames"] == 800
        """,
        tmp_path,
    )


def test_quota(tmp_path):
    script(
        """
        process = relay("--rotate", "100kB", "--quota", "400kB")
        sender, most = Sender(pad="q" * 1000), 0
        sender.announce()
        for _ in range(60):
            sender.send(30)
            time.sleep(0.03)
            most = max(most, sum(p.stat().st_size for p in Path("cache").rglob("*.*")))
        end(process)
        assert 200_000 < most < 600_000
        assert rows()[-1]["n"] == 1799
        """,
        tmp_path,
    )


def test_min_free(tmp_path):
    """More is asked for than there can be: only what is open stays."""
    script(
        """
        process = relay("--rotate", "50kB", "--min-free", "1000TB", "--duration", "3s")
        sender = Sender(pad="q" * 1000)
        sender.announce()
        for _ in range(20):
            sender.send(20)
            time.sleep(0.05)
        assert process.wait(10) == 0
        assert len(segments()) <= 1
        """,
        tmp_path,
    )


def test_sources_sockets_and_signals(tmp_path):
    """Two sockets, one of which hears one network alone; SIGUSR1; --tick 0; SIGINT."""
    script(
        """
        process = relay("-v", "--tick", "0", inputs=[f"udp://127.0.0.1:{PORT}", "udp://0.0.0.0:26001,from=127.0.0.2"])
        one, two, other = Sender("one"), Sender("two", to=("127.0.0.1", 26001)), Sender("other", to=("127.0.0.1", 26001))
        two.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        two.socket.bind(("127.0.0.2", 0))
        two.socket.connect(("127.0.0.1", 26001))
        for sender in (one, two, other):
            sender.announce()
            sender.send(20)
        time.sleep(0.3)
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=5)[1]
        assert process.returncode == -signal.SIGINT
        assert said.count("one: frames 20") == 2 and len(rows("two")) == 20 and not segments("other")
        assert stats()["refused"] == 21
        """,
        tmp_path,
    )


@pytest.mark.parametrize(
    "line, code, says",
    [
        ("sp-relay tcp://127.0.0.1:26000 cache/", 2, "datagrams"),
        ("sp-relay udp://127.0.0.1:26000", 2, "INPUTS is missing"),
        ("sp-relay udp://127.0.0.1:26000 cache/ --every 5", 2, "belong together"),
        ("sp-relay udp://127.0.0.1:26000 cache/ --publish out.avro", 2, "udp://"),
        ("sp-relay udp://127.0.0.1:26000,wire=bare cache/", 2, "no key 'wire'"),
        ("sp-relay udp://127.0.0.1:26000 cache/ --rotate 0B", 2, "more than 0"),
        ("touch cache; sp-relay udp://127.0.0.1:26000 cache/", 73, "cache"),
    ],
)
def test_usage(tmp_path, line, code, says):
    done = bash(line, tmp_path)
    assert done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert subprocess.run(["ls"], cwd=tmp_path, capture_output=True, text=True).stdout.strip() in ("", "cache")
