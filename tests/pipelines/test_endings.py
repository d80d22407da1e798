"""How tools end: exit statuses (L4), signals (L5), closed and full outputs. Real processes, real signals."""

import os
import resource
import signal
import subprocess
import time

import fastavro
import pytest
from shell import bash, start, status

FILTERS = {
    "capture": "sp-capture sim:tone -s 1M",
    "demod": "sp-demod wbfm",
    "psd": "sp-psd --interval 100ms",
    "cat": "sp-cat",
}


@pytest.fixture(scope="module")
def iq(tmp_path_factory):
    """A second of FM, as a file."""
    path = tmp_path_factory.mktemp("iq") / "x.avro"
    done = bash(f"sp-capture sim:fm,pace=0 -s 1M --duration 1s -o {path}")
    assert done.returncode == 0, done.stderr
    return path


def blocks(path):
    with open(path, "rb") as f:
        return list(fastavro.reader(f))


# ------------------------------------------------------------ statuses
@pytest.mark.parametrize(
    "line, code, says",
    [
        ("sp-capture nosuch:1", 2, "no receiver 'nosuch': there are file, "),
        ("sp-capture rtl:0", 2, "no receiver 'rtl': did you mean rtlsdr:0? there are file, "),
        ("sp-capture rtl_tcp://h:99,gain=3", 2, "did you mean rtltcp://h:99?"),
        ("sp-capture fm", 2, "did you mean sim:fm?"),
        ("sp-capture rtlsdr", 2, "write rtlsdr:0;"),
        ("sp-capture http://x/y", 2, "no receiver 'http'"),
        ("sp-capture nosuch.cu8", 66, "nosuch.cu8: no such file"),
        ("sp-capture sim:", 2, "which station? sim:adsb, sim:am, sim:fm"),
        ("sp-capture sim:nosuch", 2, "not a station: there are adsb, am, fm"),
        ("sp-capture sim:adsb,rate=1M", 2, "needs at least 2M samples/s, you asked for 1M"),
        ("sp-capture sim:fm --sweep 88:108:1", 2, "88 Hz? for megahertz write 88M"),
        ("sp-capture sim:fm,speed=3", 2, "no key 'speed'"),
        ("sp-capture sim:fm -T", 2, "takes no --bias-tee"),
        ("sp-capture sim:fm -f 99.7m", 2, "two readings"),
        ("sp-capture", 2, "which receiver?"),
        ("sp-capture x.avro", 2, "sp-cat reads it"),
        ("sp-capture cu8:nosuch.cu8,rate=2M", 66, "nosuch.cu8"),
        ("sp-demod", 2, "MODE is missing"),
        ("sp-demod wbmf", 2, "did you mean wbfm"),
        ("sp-demod wbfm --squlech 3", 2, "squlech"),
        ("sp-demod wbfm nosuch.avro", 66, "nosuch.avro"),
        ("sp-demod wbfm < /dev/null", 66, "stdin"),
        ("sp-psd < /dev/null", 66, "stdin"),
        ("sp-cat < /dev/null", 66, "stdin"),
        ("sp-cat <&-", 66, "stdin"),
        ("sp-cat /", 66, "folder"),
        ("sp-capture rtltcp://127.0.0.1:1", 69, "127.0.0.1"),
        ("sp-capture sim:fm,pace=0 -n 10 -o nosuch/x.avro", 73, "nosuch/x.avro"),
        ("sp-capture sim:fm,pace=0 -n 10 --config nosuch.toml", 78, "nosuch.toml"),
        ("SP_CAPTURE_FREQ=banana sp-capture sim:fm,pace=0 -n 10", 78, "SP_CAPTURE_FREQ=banana"),
        ("echo hello | sp-cat", 65, "stdin"),
    ],
)
def test_status_and_message(line, code, says, tmp_path):
    done = bash(f"{line} > /dev/null" if "<&-" in line or ">" not in line else line, tmp_path)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_several_inputs_the_missing_one_is_reported_last(iq, tmp_path):
    done = bash(f"sp-cat nosuch.avro {iq} -o y.avro", tmp_path)
    assert done.returncode == 66 and "nosuch.avro" in done.stderr
    assert len(blocks(tmp_path / "y.avro")) == len(blocks(iq))


@pytest.mark.parametrize("tool", FILTERS)
def test_disk_full(tool, iq):
    codes, text = status(f"cat {iq} | {FILTERS[tool]} > /dev/full")
    assert codes[1] == 74 and "No space left" in text and "Traceback" not in text


def test_disk_full_of_a_file_system_keeps_no_half_file(tmp_path):
    # a limit on the file's size fails like a full disk: in the middle of a write
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    p = start("sp-capture", "sim:fm,pace=0", "--duration", "2s", "-o", "x.avro", cwd=tmp_path, preexec_fn=small)
    _, text = p.communicate(timeout=20)
    assert p.returncode == 74 and b"x.avro" in text
    assert not (tmp_path / "x.avro").exists()
    assert (tmp_path / "x.avro.part").stat().st_size == 1 << 20


@pytest.mark.root
def test_a_tmpfs_of_one_mebibyte(tmp_path):
    if os.geteuid():
        pytest.skip("mounting needs root")
    done = bash(
        "unshare -m bash -c 'mount -t tmpfs -o size=1m t . && cd . && cd $PWD && "
        "sp-capture sim:fm,pace=0 --duration 2s -o x.avro; echo $?; ls'", tmp_path,
    )  # fmt: skip
    assert done.stdout.split()[0] == "74" and "No space left" in done.stderr
    assert "x.avro" not in done.stdout.split()


def test_closed_stdout(iq):
    for tool in ("sp-demod wbfm", "sp-cat", "sp-psd"):
        done = bash(f"{tool} {iq} >&-")
        assert done.returncode == 74 and "closed" in done.stderr, tool


# ------------------------------------------------------------ SIGPIPE
@pytest.mark.parametrize("n", [0, 1, 700, 70_000])
@pytest.mark.parametrize("tool", FILTERS)
def test_reader_leaves(tool, n, iq):
    """141 where something was left to write; quiet in any case, and within a second of it."""
    line = FILTERS[tool].replace("sim:tone", "sim:tone,pace=0")
    feed = f"cat {iq} {iq} {iq} {iq} 2>/dev/null |" if tool != "capture" else ""
    codes, text = status(f"{feed} {line} --duration 2s | head -c {n} > /dev/null")
    assert text == ""
    small = tool == "psd"
    assert codes[-2] in ((0, 141) if small else (141,))


def test_the_file_beside_a_broken_pipe_is_whole(tmp_path):
    codes, _ = status("sp-capture sim:tone,pace=0 -s 1M --duration 3s -o x.avro -o - | head -c 100 > /dev/null", tmp_path)
    assert codes[0] == 141
    assert blocks(tmp_path / "x.avro")


# ------------------------------------------------------------ SIGTERM
def first_bytes(process, n=1000):
    got = b""
    while len(got) < n:
        more = os.read(process.stdout.fileno(), n - len(got))
        assert more, process.stderr.read()
        got += more
    return got


def test_sigterm_of_a_live_source_delivers_and_exits_0(tmp_path):
    p = start("sp-capture", "sim:fm", "-s", "1M", "-v", "-o", "x.avro", "-o", "-", cwd=tmp_path)
    first_bytes(p)
    p.terminate()
    began = time.monotonic()
    _, text = p.communicate(timeout=5)
    assert p.returncode == 0, text
    assert time.monotonic() - began < 2
    read = blocks(tmp_path / "x.avro")
    assert f"samples_in {sum(len(b['data']) // 2 for b in read):,}".encode() in text


def test_sigterm_of_the_group_drains_the_pipeline(tmp_path):
    line = "trap : TERM; sp-capture sim:fm -s 1M -o iq.avro -o - | sp-demod wbfm -v -o fm.wav; echo ${PIPESTATUS[@]}"
    p = start("bash", "-c", line, cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 20
    while not (tmp_path / "fm.wav.part").exists() or not (tmp_path / "fm.wav.part").stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(p.pid, signal.SIGTERM)
    out, text = p.communicate(timeout=6)
    assert out.split() == [b"0", b"0"], text
    samples = sum(len(b["data"]) // 2 for b in blocks(tmp_path / "iq.avro"))
    assert f"samples_in {samples:,}".encode() in text  # every sample that was captured was demodulated
    wav = (tmp_path / "fm.wav").read_bytes()
    frames = (len(wav) - wav.index(b"data") - 8) // 2
    assert frames == -(-samples * 48 // 1000)


def test_sigterm_with_a_foreign_last_stage():
    p = start("bash", "-c", "trap : TERM; sp-capture sim:tone -s 1M | cat > /dev/null; echo ${PIPESTATUS[@]}",
              start_new_session=True)  # fmt: skip
    time.sleep(1.0)
    os.killpg(p.pid, signal.SIGTERM)
    out, text = p.communicate(timeout=6)
    # cat dies of its SIGTERM at once; EPIPE after SIGTERM is a clean end
    assert out.split() == [b"0", b"143"], text


@pytest.mark.parametrize("tool", ["sp-capture sim:fm -s 1M", "sp-demod raw -r 500k", "sp-cat"])
def test_sigterm_with_stdout_blocked(tool, iq):
    """Nobody reads; the tool ends by itself within 5 s, 0, and says that something was left."""
    feed = f"cat {iq} {iq} {iq} {iq} | " if "capture" not in tool else ""
    p = start("bash", "-c", f"{feed}exec {tool} -v" if not feed else f"{tool} -v < <(cat {iq} {iq} {iq} {iq})")
    time.sleep(1.5)
    children = subprocess.run(["pgrep", "-f", "-P", str(p.pid), "sp-"], capture_output=True, text=True).stdout.split()
    began = time.monotonic()
    os.kill(int(children[0]) if children else p.pid, signal.SIGTERM)
    p.wait(timeout=8)
    assert time.monotonic() - began < 5.5
    text = p.stderr.read().decode()
    assert p.returncode == 0 and "left" in text, text


def test_sigterm_of_a_reader_of_stdin_goes_on_to_eof(iq):
    p = start("sp-demod", "wbfm", "-v", "-o", "/dev/null", stdin=subprocess.PIPE)
    data = iq.read_bytes()
    p.stdin.write(data[:300_000])
    p.stdin.flush()
    time.sleep(0.7)
    p.terminate()
    time.sleep(0.3)
    p.stdin.write(data[300_000:])
    p.stdin.close()
    assert p.wait(timeout=6) == 0
    text = p.stderr.read()
    assert b"samples_in 1,000,000" in text and b"left" not in text


def test_sigterm_of_a_reader_whose_input_never_ends(iq):
    p = start("sp-demod", "wbfm", "-v", "-o", "/dev/null", stdin=subprocess.PIPE)
    p.stdin.write(iq.read_bytes()[:300_000])
    p.stdin.flush()
    time.sleep(0.7)
    p.terminate()
    began = time.monotonic()
    assert p.wait(timeout=6) == 0
    assert 3 < time.monotonic() - began < 5
    assert b"left 1" in p.stderr.read()


# ------------------------------------------------------------ SIGINT
def test_sigint_delivers_and_dies_of_sigint(tmp_path):
    p = start("sp-capture", "sim:fm", "-s", "1M", "-o", "x.avro", "-o", "-", cwd=tmp_path)
    first_bytes(p)
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=5)
    assert p.returncode == -signal.SIGINT
    assert blocks(tmp_path / "x.avro")


def test_a_second_sigint_aborts():
    p = start("sp-demod", "wbfm", "-o", "/dev/null", stdin=subprocess.PIPE)
    time.sleep(0.7)
    p.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert p.poll() is None
    p.send_signal(signal.SIGINT)
    assert p.wait(timeout=1) == -signal.SIGINT


# ------------------------------------------------------------ requests
def test_sigusr1_prints_the_tally():
    p = start("sp-capture", "sim:fm", "-s", "1M", "-v", "-o", "/dev/null")
    time.sleep(1.0)
    p.send_signal(signal.SIGUSR1)
    time.sleep(0.3)
    p.terminate()
    _, text = p.communicate(timeout=5)
    assert text.count(b"samples_in") == 2


def test_sighup_applies_a_live_setting(tmp_path):
    (tmp_path / "c.toml").write_text('[capture]\nfreq = "100M"\n')
    p = start("sp-capture", "sim:fm", "-s", "1M", "--config", "c.toml", "-v", "-o", "x.avro", cwd=tmp_path)
    time.sleep(1.0)
    (tmp_path / "c.toml").write_text('[capture]\nfreq = "banana"\n')
    p.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    (tmp_path / "c.toml").write_text('[capture]\nfreq = "101M"\nbuffer = 3\n')
    p.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    p.terminate()
    _, text = p.communicate(timeout=5)
    assert b"not changed" in text and b"banana" in text
    assert b"changed freq 101M\n" in text and b"buffer: takes effect at the next start\n" in text
    done = bash("sp-cat x.avro -j", tmp_path)
    assert '"freq": 100000000' in done.stdout and '"freq": 101000000' in done.stdout, done.stdout[:500]
    assert b" lost 0" in text


# ------------------------------------------------------------ SIGHUP, terminals
def test_sighup_without_a_configuration_ends_like_sigterm(tmp_path):
    p = start("sp-capture", "sim:fm", "-s", "1M", "-o", "x.avro", "-o", "-", cwd=tmp_path)
    first_bytes(p)
    p.send_signal(signal.SIGHUP)
    p.communicate(timeout=5)
    assert p.returncode == 0
    assert blocks(tmp_path / "x.avro")


def test_nohup_is_respected(tmp_path):
    p = start("nohup", "sp-capture", "sim:fm", "-s", "1M", "--duration", "1500ms", "-v", "-o", "x.avro", cwd=tmp_path)
    time.sleep(0.8)
    p.send_signal(signal.SIGHUP)
    _, text = p.communicate(timeout=5)
    assert p.returncode == 0 and b"samples_in 1,500,000" in text


def test_a_closed_terminal_ends_it_also_with_a_configuration(tmp_path):
    """A shell's window is closed: the kernel hangs the terminal up."""
    (tmp_path / "c.toml").write_text('[capture]\nfreq = "100M"\n')
    master, slave = os.openpty()
    line = "sp-capture sim:fm -s 1M --config c.toml -o x.avro --stats s.json"
    p = start("setsid", "-c", "bash", "-c", f"exec {line}", cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    deadline = time.monotonic() + 10
    while not (tmp_path / "x.avro.part").exists() or (tmp_path / "x.avro.part").stat().st_size < 100_000:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.close(master)
    assert p.wait(timeout=5) == 0
    assert blocks(tmp_path / "x.avro")


def test_a_removed_live_setting_stays_as_it_was(tmp_path):
    (tmp_path / "c.toml").write_text('[capture]\nfreq = "100M"\n')
    p = start("sp-capture", "sim:fm", "-s", "1M", "--config", "c.toml", "-o", "/dev/null", cwd=tmp_path)
    time.sleep(1.0)
    (tmp_path / "c.toml").write_text("[capture]\n")
    p.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert p.poll() is None
    p.terminate()
    _, text = p.communicate(timeout=5)
    assert b"not changed: freq is no longer in the configuration" in text and p.returncode == 0


def test_a_forgotten_pipe_is_said_at_once():
    for tool in ("sp-demod wbfm", "sp-psd", "sp-cat"):
        done = bash(f"script -qec '{tool} -o /dev/null' /dev/null < /dev/null")
        assert "no input: pipe sp-capture into it" in done.stdout, tool


# ------------------------------------------------------------ slips in names
@pytest.mark.parametrize(
    "out, says",
    [
        ("x.flac", "no format writes .flac, there are avro, cf32_le"),
        ("x.cfile", "no format writes .cfile"),
        ("mp3:x", "no format 'mp3'"),
        ("wav", "wav:- is wav on standard output"),
        ("x.avro -o x.avro", "named twice"),
        ("- -o wav:-", "named twice"),
        ("./in.avro", "is an input too"),
    ],
)
def test_an_output_that_cannot_be_meant_is_refused(out, says, iq, tmp_path):
    (tmp_path / "in.avro").write_bytes(iq.read_bytes())
    done = bash(f"sp-cat in.avro -o {out}", tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and says in done.stderr
    assert os.listdir(tmp_path) == ["in.avro"]


AVRO = b"Obj\x01"


@pytest.mark.parametrize("out, kind", [("X.WAV", b"RIFF"), ("avro:x.flac", AVRO), ("./a:b.avro", AVRO), ("plain", AVRO)])
def test_names_that_can_be_meant(out, kind, iq, tmp_path):
    assert bash(f"sp-demod wbfm {iq} -o {out}", tmp_path).returncode == 0
    (path,) = tmp_path.iterdir()
    assert path.read_bytes()[:4] == kind


def test_stats_that_cannot_be_written_are_said_before_the_work(iq):
    done = bash(f"sp-cat {iq} --stats /nosuch/s.json -o /dev/null")
    assert done.returncode == 73 and "--stats /nosuch/s.json cannot be written" in done.stderr
