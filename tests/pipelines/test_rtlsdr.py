"""The driver on a fake librtlsdr, through the real pyrtlsdr, in processes of their own."""

import ast
import subprocess
import sys

import numpy as np
import pytest
import rig

RATE = 2_400_000
BLOCK = 23_808  # 10 ms, in whole USB packets

HEAD = """
import sys, time
import numpy as np
from sptools import errors
from sptools.drivers.rtlsdr import devices, rtlsdr

def start(*args, **keys):
    try:
        return rtlsdr(*args, **keys)
    except errors.SpError as error:
        print([error.code, str(error)])
        sys.exit()

def ending(receiver):
    begin = time.monotonic()
    try:
        while receiver.read() is not None:
            begin = time.monotonic()
        return ["end"]
    except errors.SpError as error:
        return [error.code, str(error), time.monotonic() - begin]

def words(chunk):
    return np.frombuffer(chunk.data, "<u4")
"""


def run(dongle, program, **fake):
    """What the program printed last, as a value."""
    done = rig.python(dongle, HEAD + program, **fake)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


@pytest.fixture
def log(tmp_path):
    return tmp_path / "calls"


def test_through_pyrtlsdr_on_the_fake(dongle, tmp_path, log):
    """Real pyrtlsdr has loaded the fake; the bytes are the dongle's; nothing is set that nobody asked for."""
    data = rig.numbered(tmp_path / "x.cu8", RATE)
    program = """
from pathlib import Path
r = start("0", freq=99.7e6, gain=20.0, ppm=3)
chunks = [r.read() for _ in range(20)]
r.close()
loaded = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "librtlsdr" in line]
print([sys.modules["rtlsdr"].__file__, sorted(set(loaded)), b"".join(c.data for c in chunks)[-4:], r.read(),
       len(chunks[0].data), sum(c.lost for c in chunks), [r.rate, r.freq, r.gain, r.device, r.live, r.datatype],
       bool(np.array_equal(np.concatenate([words(c) for c in chunks]), np.arange(20 * len(chunks[0].data) // 4)))])
"""
    module, loaded, _, after, size, lost, facts, same = run(dongle, program, file=data, log=log)
    assert module.endswith("rtlsdr/__init__.py")
    assert loaded == [str(dongle / "librtlsdr.so.0")]
    assert (after, size, lost, same) == (None, 2 * BLOCK, 0, True)
    assert facts == [2.4e6, 99.7e6, 19.7, "rtlsdr:0", True, "cu8"]  # 19.7 dB is the R820T's nearest to 20
    calls = log.read_text().splitlines()
    assert calls[:-4] == [
        "open 0",
        "set_sample_rate 2400000",
        "set_freq_correction 3",
        "set_center_freq 99700000",
        "set_tuner_gain_mode 1",
        "set_tuner_gain 197",
        "set_agc_mode 0",
        "reset_buffer",
    ]
    assert calls[-4] == f"read_async num=51 len={2 * BLOCK}"  # half a second under way
    assert calls[-1].startswith("close")


def test_rate_is_what_the_resampler_makes(dongle):
    assert run(dongle, "r = start('0', rate=1.234567e6); r.close(); print(r.rate)") == 1234567.0


@pytest.mark.parametrize(
    ("keys", "calls"),
    [
        ("direct='q'", ["set_direct_sampling 2"]),
        ("bandwidth=300e3", ["set_tuner_bandwidth 300000"]),
        ("agc=True", ["set_agc_mode 1"]),
        ("gain=float('nan')", ["set_tuner_gain_mode 0"]),
        ("bias_tee=True", ["set_bias_tee 1", "set_bias_tee 0"]),  # and off again at the end
    ],
)
def test_a_setting_reaches_the_dongle(dongle, log, keys, calls):
    run(dongle, f"r = start('0', {keys}); r.close(); print([])", log=log)
    name = calls[0].split()[0]
    assert [line for line in log.read_text().splitlines() if line.split()[0] == name] == calls


def test_retunes_without_a_break(dongle, tmp_path, log):
    data = rig.numbered(tmp_path / "x.cu8", 2 * RATE)
    program = """
r = start("0", freq=100e6, ppm=1)
got = [r.read() for _ in range(5)]
r.set(freq=101.5e6, gain=49.0, ppm=1)
got += [r.read() for _ in range(5)]
r.set(gain=float("nan"))
got += [r.read() for _ in range(5)]
r.close()
stream = np.concatenate([words(c) for c in got])
print([[c.freq for c in got], [str(c.gain) for c in got], bool(np.all(np.diff(stream.astype("i8")) == 1)), r.freq])
"""
    freqs, gains, whole, freq = run(dongle, program, file=data, log=log)
    assert whole
    assert (freqs[0], freqs[-1], freq) == (100e6, 101.5e6, 101.5e6)
    assert (gains[0], gains[8], gains[-1]) == ("nan", "49.6", "nan")
    assert log.read_text().count("set_freq_correction") == 1  # librtlsdr answers -2 when it is set again


def test_a_refused_frequency_leaves_the_stream_as_it_was(dongle, log):
    program = """
r = start("0", freq=100e6)
try:
    r.set(freq=3e6)
except errors.Usage as error:
    print([str(error), r.freq, r.read().freq])
r.close()
"""
    message, freq, read = run(dongle, program, fail="set_center_freq:-1@2", log=log)
    assert "3000000" in message
    assert freq == read == 100e6
    assert log.read_text().count("set_center_freq 100000000") == 2  # tuned back


def test_what_nobody_reads_is_dropped_and_counted(dongle, tmp_path):
    """Overrun: after 1.5 s without a read a second is held, the rest is `lost` of the chunk that follows."""
    data = rig.numbered(tmp_path / "x.cu8", 6 * RATE)
    program = """
r = start("0")
time.sleep(1.5)
at, jumps = 0, []
while at < 2.2e6 * 2:
    c = r.read()
    if c.lost:
        jumps.append(c.lost)
    at += c.lost
    assert words(c)[0] * 2 == at, (words(c)[0] * 2, at)
    at += len(c.data) // 2
r.close()
print(jumps)
"""
    jumps = run(dongle, program, file=data)
    assert len(jumps) == 1
    assert 0.2 * RATE < jumps[0] < 0.8 * RATE


def test_what_usb_loses_is_estimated(dongle, tmp_path):
    """0.1 s of samples vanish between dongle and library: counted, to within a block, and nothing else is."""
    data = rig.numbered(tmp_path / "x.cu8", 6 * RATE)
    program = """
r = start("0")
lost = []
for n in range(400):
    c = r.read()
    if c.lost:
        lost.append((n, c.lost))
r.close()
print([lost, int(words(c)[0]) * 2 - n * len(c.data) // 2])
"""
    lost, truth = run(dongle, program, file=data, lose=f"120:{RATE // 10 * 2}")
    assert truth == RATE // 10
    assert sum(count for _, count in lost) == pytest.approx(truth, abs=BLOCK)
    assert 120 <= lost[0][0] <= 120 + 160


def test_a_stall_ends_after_3_s_and_close_does_not_hang(dongle):
    """The library hangs and is deaf to cancel_async: 69 all the same, and the process can leave."""
    program = """
r = start("0")
end = ending(r)
begin = time.monotonic()
r.close()
print([*end, time.monotonic() - begin])
"""
    code, message, waited, closing = run(dongle, program, maxbuf=5, at_eof="hang")
    assert code == 69
    assert "no samples for 3 s" in message
    assert waited == pytest.approx(3, abs=0.5)
    assert closing < 1


def test_unplugged(dongle):
    code, message, waited = run(dongle, "r = start('0'); e = ending(r); r.close(); print(e)", unplug=20)
    assert code == 69
    assert "unplugged" in message
    assert waited < 0.5


def test_one_opener_at_a_time(dongle, tmp_path):
    """A second process is told why; after the first has closed, the dongle is free."""
    program = "r = start('0'); print(['open'], flush=True); sys.stdin.read(); r.close()"
    first = subprocess.Popen(
        [sys.executable, "-c", HEAD + program],
        env=rig.environment(dongle, lock=tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert "open" in first.stdout.readline()
        code, message = run(dongle, "start('0')", lock=tmp_path)
        assert code == 69
        assert "busy" in message and "dvb_usb_rtl28xxu" in message
    finally:
        first.communicate("", timeout=10)
    assert run(dongle, "r = start('0'); r.close(); print(['open'])", lock=tmp_path) == ["open"]


def test_by_serial_number(dongle, log):
    program = """
for address, keys in (("", {"serial": "00000002"}), ("serial=KQED", {}), ("1", {})):
    start(address, **keys).close()
print(devices())
"""
    lines = run(dongle, program, count=2, serial="KQED", log=log)
    assert [line for line in log.read_text().splitlines() if line.startswith("open")] == ["open 1", "open 0", "open 1"]
    assert lines == [
        "rtlsdr:0  Generic RTL2832U OEM (fake)  serial=KQED",
        "rtlsdr:1  Generic RTL2832U OEM (fake)  serial=00000002",
    ]


@pytest.mark.parametrize(
    ("call", "fake", "code", "says"),
    [
        ("'0'", {"count": 0}, 69, "no RTL-SDR found"),
        ("'7'", {"count": 2}, 69, "2 found"),
        ("'', serial='x'", {"serial": "KQED"}, 69, "found KQED"),
        ("'0'", {"fail": "open:-3"}, 69, "udev"),
        ("'0'", {"fail": "open:-12"}, 69, "-12"),
        ("'0'", {"fail": "set_sample_rate:-4"}, 69, "unplugged"),
        ("'0'", {"fail": "set_center_freq:-1"}, 69, "USB fails"),  # 100 MHz: not the tuner's fault
        ("'0', freq=3e6", {"fail": "set_center_freq:-1"}, 2, "refuses center_freq 3000000"),
        ("'0', rate=1e6", {"fail": "set_sample_rate:-22"}, 2, "refuses sample_rate"),
        ("'0'", {"fail": "reset_buffer:-1"}, 69, "reset"),
        ("'0'", {"fail": "read_async:-1"}, 69, "stopped delivering"),
        ("'zero'", {}, 2, "rtlsdr:serial=00000101"),
        ("'1', serial='x'", {}, 2, "the index or the serial number"),
        ("'0', rate=500e3", {}, 2, "900001"),
        ("'0', freq=5e9", {}, 2, "24M"),
        ("'0', gain=1e3", {}, 2, "auto"),
    ],
)
def test_says_what_is_wrong(dongle, call, fake, code, says):
    found = run(dongle, f"r = start({call}); e = ending(r); r.close(); print(e)", **fake)
    assert found[0] == code
    assert says in found[1]


def test_without_pyrtlsdr(dongle, tmp_path, log):
    """A pyrtlsdr that cannot be imported: the system's librtlsdr is called directly."""
    (tmp_path / "rtlsdr.py").write_text("raise AttributeError('undefined symbol: rtlsdr_set_dithering')\n")
    program = (
        f"sys.path.insert(0, {str(tmp_path)!r}); r = start('0', freq=99e6); c = r.read(); r.close(); print(c.freq)"
    )
    assert run(dongle, program, log=log) == 99e6
    assert "set_center_freq 99000000" in log.read_text()


def test_without_a_library(dongle, tmp_path):
    """Neither pyrtlsdr nor a librtlsdr that can be loaded."""
    (tmp_path / "rtlsdr.py").write_text("raise ImportError\n")
    for name in ("librtlsdr.so", "librtlsdr.so.0", "librtlsdr.so.2"):
        (tmp_path / name).write_text("not a library\n")
    done = subprocess.run(
        [sys.executable, "-c", HEAD + "print(devices()); start('0')"],
        env=rig.environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=30,
    )
    listed, failed = map(ast.literal_eval, done.stdout.splitlines())
    assert failed[0] == 69
    assert "apt install rtl-sdr" in failed[1] and "pyrtlsdr[lib]" in failed[1]
    assert listed == [f"rtlsdr: {failed[1]}"]


def test_with_the_bundled_library():
    """As installed with the extra: pyrtlsdr's own library loads and can look for dongles."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            HEAD + "from sptools.drivers.rtlsdr import library; print([library().name])\nprint(devices())",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    name, lines = map(ast.literal_eval, done.stdout.splitlines())
    assert "pyrtlsdrlib" in name[0]
    assert all(line.startswith("rtlsdr:") for line in lines) and "fake" not in done.stdout


def test_with_debians_library(dongle):
    """pyrtlsdr cannot be imported on librtlsdr 0.6.0 (it looks up what came later): the driver can still use it."""
    environment = rig.environment(dongle)
    del environment["LD_LIBRARY_PATH"]
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            HEAD + "from sptools.drivers.rtlsdr import library; print([library().name])\nprint(devices())",
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "librtlsdr" in done.stdout
    assert "fake" not in done.stdout


def test_keeps_up_at_3_2_MS(dongle, tmp_path):
    """The highest rate, a second of it, on the clock: nothing lost, and less than a third of a core."""
    data = rig.numbered(tmp_path / "x.cu8", 4_000_000)
    program = """
r = start("0", rate=3.2e6)
begin = time.process_time()
got = [r.read() for _ in range(100)]
cpu = time.process_time() - begin
r.close()
stream = np.concatenate([words(c) for c in got])
print([bool(np.all(np.diff(stream.astype("i8")) == 1)), sum(c.lost for c in got), cpu])
"""
    whole, lost, cpu = run(dongle, program, file=data)
    assert (whole, lost) == (True, 0)
    assert cpu < 0.33


def test_recording_is_untouched(dongle, tmp_path):
    """Any bytes, not only counters: what the file holds is what is read."""
    data = np.random.default_rng(1).integers(0, 256, 2 * 10 * BLOCK, "u1").tobytes()
    (tmp_path / "x.cu8").write_bytes(data)
    program = f"""
r = start("0")
got = b"".join(r.read().data for _ in range(10))
r.close()
print(got == open({str(tmp_path / "x.cu8")!r}, "rb").read())
"""
    assert run(dongle, program, file=tmp_path / "x.cu8", at_eof="block") is True
