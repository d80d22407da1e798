"""Files and streams: names only for whole files, the right class for each failure."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading

import numpy as np
import pytest

from sptools import errors
from sptools.transports import _block
from sptools.transports.file import Input, Output

ROOT = os.path.dirname(os.path.dirname(errors.__file__))


def test_a_file_has_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "x"
    out = Output(str(path))
    out.write(b"a", memoryview(b"bc"), np.arange(3, dtype="<i2"))
    assert not path.exists() and (tmp_path / "x.part").exists()
    out.close()
    assert path.read_bytes() == b"abc\0\0\1\0\2\0" and os.listdir(tmp_path) == ["x"]


def test_a_failure_leaves_the_old_file_and_the_part(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    out = Output(str(path))
    out.write(b"new")
    out.close(False)
    out.close()
    assert path.read_bytes() == b"old" and out.left == str(path) + ".part"
    assert (tmp_path / "x.part").read_bytes() == b"new"
    again = Output(str(path))
    again.close(False)
    assert again.left is None and os.listdir(tmp_path) == ["x"]


def test_two_writers_of_one_file(tmp_path):
    first = Output(str(tmp_path / "x"))
    with pytest.raises(errors.CannotCreate, match="another process"):
        Output(str(tmp_path / "x"))
    first.close()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    out = Output(str(tmp_path / "link"))
    out.write(b"1")
    out.close()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"1"


def test_more_buffers_than_one_call_takes(tmp_path):
    out = Output(str(tmp_path / "x"))
    out.write(*[bytes([k % 256]) for k in range(5000)])
    out.close()
    assert (tmp_path / "x").read_bytes() == bytes(k % 256 for k in range(5000))


def test_inputs_that_are_none(tmp_path):
    for place in (tmp_path / "missing", tmp_path, "", "a\0b", "/dev/null/x", "x" * 300):
        with pytest.raises(errors.NoInput):
            Input(str(place))


def test_outputs_that_cannot_be(tmp_path):
    for place in (tmp_path, tmp_path / "no" / "x", "/dev/null/x", "a\0b"):
        with pytest.raises(errors.CannotCreate):
            Output(str(place))


def test_without_permission():
    code = (
        "import os, sys\n"
        "from sptools import errors\n"
        "from sptools.transports.file import Input, Output\n"
        "os.getuid() or os.setuid(65534)\n"
        "for f in (Input, Output):\n"
        "    try: f(sys.argv[1])\n"
        "    except errors.NoPermission as e: print(type(e).code)\n"
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # root's tmp_path is closed to others
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "x")
        with open(path, "wb"):
            os.chmod(path, 0)
        run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.split() == ["77", "77"], run.stderr


def test_disk_full():
    out = Output("/dev/full")
    with pytest.raises(errors.IOFailure, match="/dev/full: writing failed: No space left"):
        out.write(b"x")


def test_disk_full_in_a_file_names_the_part(tmp_path, monkeypatch):
    out = Output(str(tmp_path / "x"))
    out.write(b"good")

    def full(fd, buffers):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(errors.IOFailure, match=r"x\.part"):
        out.write(b"x")
    out.close(False)
    assert (tmp_path / "x.part").read_bytes() == b"good"


def test_short_writes_are_completed(tmp_path, monkeypatch):
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, b: real(fd, [memoryview(next(x for x in b if len(x)))[:3]]))
    out = Output(str(tmp_path / "x"))
    out.write(b"", b"abcdefgh", b"", b"ijkl", b"m")
    out.close()
    assert (tmp_path / "x").read_bytes() == b"abcdefghijklm"


def test_a_reader_that_left_is_a_broken_pipe(tmp_path):
    os.mkfifo(tmp_path / "p")
    reader = threading.Thread(target=lambda: os.close(os.open(tmp_path / "p", os.O_RDONLY)))
    reader.start()
    out = Output(str(tmp_path / "p"))
    reader.join()
    with pytest.raises(BrokenPipeError):
        out.write(bytes(1 << 21))


def test_fifos_are_widened_and_read_as_they_come(tmp_path):
    os.mkfifo(tmp_path / "p")

    def write():
        out = Output(str(tmp_path / "p"))
        assert fcntl.fcntl(out.fileno(), fcntl.F_GETPIPE_SZ) >= 1 << 16
        out.write(b"abc")
        out.close()

    thread = threading.Thread(target=write)
    thread.start()
    source = Input(str(tmp_path / "p"))
    view = memoryview(bytearray(10))
    assert not source.seekable and source.readinto(view) == 3 and bytes(view[:3]) == b"abc"
    thread.join()
    assert source.readinto(view) == 0 and source.read(5) == b""


def test_non_blocking_descriptors(tmp_path):
    r, w = os.pipe()
    os.set_blocking(r, False)
    os.set_blocking(w, False)
    source = Input(f"/dev/fd/{r}")
    os.set_blocking(source.fileno(), False)
    out = Output(f"/dev/fd/{w}")
    os.set_blocking(out.fileno(), False)
    data = os.urandom(3 << 20)

    def write():
        out.write(data)
        out.close()

    thread = threading.Thread(target=write)
    thread.start()
    os.close(w)
    back = b""
    while part := source.read(1 << 16):
        back += part
    thread.join()
    os.close(r)
    assert back == data


def test_a_deadline_interrupts(tmp_path, monkeypatch):
    monkeypatch.setattr(_block.blocking, "expired", True)
    (tmp_path / "x").write_bytes(b"1")
    with pytest.raises(_block.Deadline):
        Input(str(tmp_path / "x"))


@pytest.mark.parametrize(
    "code, redirect, status",
    (("Input('-')", "<&-", 66), ("Output('-')", ">&-", 74), ("Output('-').write(b'x')", ">/dev/full", 74)),
)
def test_standard_streams_that_are_closed(code, redirect, status):
    program = (
        "import sys; from sptools import errors; from sptools.transports.file import Input, Output\n"
        f"try: {code}\nexcept errors.SpError as e: sys.exit(e.code)"
    )
    assert subprocess.run(["sh", "-c", f'"$0" -c "$1" {redirect}', sys.executable, program]).returncode == status


def test_files_stay_off_the_standard_streams(tmp_path):
    program = "import sys; from sptools.transports.file import Input; sys.exit(Input(sys.argv[1]).fileno())"
    (tmp_path / "x").write_bytes(b"1")
    run = subprocess.run(["sh", "-c", '"$0" -c "$1" "$2" <&-', sys.executable, program, str(tmp_path / "x")])
    assert run.returncode > 2
