"""Files, FIFOs, devices and the standard streams: `PATH` or `-`.

A regular file is written as `PATH.part` and takes its name only when it is whole and on the disk. Everything else
(`-`, FIFOs, devices) is written as it comes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat

from sptools import errors, limits
from sptools.transports._block import blocking

STDIN, STDOUT = 0, 1
IOV_MAX = 1024  # Linux: buffers of one writev


def read(place: str = "-") -> Input:
    """A file, a FIFO, a device, or standard input."""
    return Input(place)


def write(place: str = "-") -> Output:
    """A file that takes its name when it is whole, a FIFO, a device, or standard output."""
    return Output(place)


class Input:
    """Bytes from a file or stream, unbuffered: one `readinto` is one system call."""

    def __init__(self, place: str = "-"):
        self.path = None if place == "-" else place
        self.name = "stdin" if place == "-" else place
        self._fd = _standard_input() if place == "-" else _open_input(place)
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise errors.NoInput(f"{self.name} is a folder: name a file in it")
        self.seekable = stat.S_ISREG(mode)
        if stat.S_ISFIFO(mode):
            _widen(self._fd)

    def readinto(self, view: memoryview) -> int:
        """Fills `view` with what is there, waiting for the first byte. Returns the bytes read; 0: the end."""
        while True:
            try:
                with blocking():
                    return os.readv(self._fd, (view,))
            except BlockingIOError:
                _wait(self._fd, select.POLLIN)
            except ConnectionResetError:
                return 0
            except OSError as e:
                raise errors.IOFailure(f"{self.name}: reading failed: {e.strerror}") from e

    def read(self, n: int) -> bytes:
        """Up to `n` bytes in one system call; b"": the end."""
        data = bytearray(n)
        got = self.readinto(memoryview(data))
        return bytes(memoryview(data)[:got])

    def seek(self, offset: int) -> None:
        """To `offset` bytes from the beginning; only where `seekable`."""
        os.lseek(self._fd, offset, os.SEEK_SET)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self.path is not None and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Output:
    """Bytes to a file or stream, unbuffered. `left`: the unfinished `.part` that a failure leaves for rescue."""

    def __init__(self, place: str = "-"):
        self.path = None if place == "-" else place
        self.name = "stdout" if place == "-" else place
        self.left: str | None = None
        self._part: str | None = None
        self._final = ""
        self._written = 0
        if place == "-":
            self._fd = _standard_output()
        elif _is_special(place):
            self._fd = _open_output(place, os.O_WRONLY)
        else:
            # a link stays a link: its target is replaced
            self._final = _target(place)
            self._part = self._final + ".part"
            self._fd = _open_part(place, self._final, self._part)
        if stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            _widen(self._fd)

    def write(self, *buffers: bytes | bytearray | memoryview) -> None:
        """All bytes of all `buffers` (anything C-contiguous), one system call where the kernel takes them at once."""
        total = 0
        for buffer in buffers:
            total += buffer.nbytes if hasattr(buffer, "nbytes") else len(buffer)
        try:
            done = self._writev(buffers) if len(buffers) <= IOV_MAX else 0
            if done < total:
                self._rest(buffers, done)
        except BrokenPipeError:
            raise
        except OSError as e:
            raise self._failed("writing failed", e) from e
        self._written += total

    def close(self, ok: bool = True) -> None:
        """`ok`: flush to the disk and take the final name. Otherwise an unfinished file stays `PATH.part` (`left`)."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        if self._part is None:
            if self.path is not None:
                _close(fd, self.name)
            return
        if ok:
            try:
                os.fsync(fd)
                os.close(fd)
                os.rename(self._part, self._final)
                _sync_folder(self._final)
            except OSError as e:
                raise self._failed("closing failed", e) from e
            return
        # nobody misses an empty file
        if self._written:
            self.left = self._part
        else:
            os.unlink(self._part)
        os.close(fd)

    def fileno(self) -> int:
        return self._fd

    def _writev(self, buffers: tuple | list) -> int:
        while True:
            try:
                with blocking():
                    return os.writev(self._fd, buffers)
            except BlockingIOError:
                _wait(self._fd, select.POLLOUT)

    def _rest(self, buffers: tuple, done: int) -> None:
        """What a short write left: signals, full pipes of others, and disks that are about to be full."""
        views = [memoryview(b).cast("B") for b in buffers if len(b)]
        while views:
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if not views:
                return
            views[0] = views[0][done:]
            done = self._writev(views[:IOV_MAX])

    def _failed(self, what: str, e: OSError) -> errors.IOFailure:
        rescue = f"; what was written is in {self._part}" if self._part and self._written else ""
        return errors.IOFailure(f"{self.name}: {what}: {e.strerror}{rescue}")


def _standard_input() -> int:
    try:
        os.fstat(STDIN)
    except OSError as e:
        raise errors.NoInput("stdin is closed: give an input or a pipe") from e
    return STDIN


def _standard_output() -> int:
    try:
        os.fstat(STDOUT)
    except OSError as e:
        raise errors.IOFailure("stdout is closed: name an output with -o, or do not close it") from e
    return STDOUT


def _open_input(place: str) -> int:
    try:
        with blocking():  # a FIFO waits here for its writer
            return _high(os.open(place, os.O_RDONLY | os.O_CLOEXEC))
    except PermissionError as e:
        raise errors.NoPermission(f"{place} may not be read: {e.strerror}") from e
    except (OSError, ValueError) as e:
        raise errors.NoInput(f"{place} cannot be read: {_reason(e)}") from e


def _open_output(place: str, flags: int) -> int:
    try:
        with blocking():  # a FIFO waits here for its reader
            return _high(os.open(place, flags | os.O_CLOEXEC, 0o666))
    except PermissionError as e:
        raise errors.NoPermission(f"{place} may not be written: {e.strerror}") from e
    except (OSError, ValueError) as e:
        raise errors.CannotCreate(f"{place} cannot be written: {_reason(e)}") from e


def _open_part(place: str, final: str, part: str) -> int:
    if os.path.isdir(final):
        raise errors.CannotCreate(f"{place} is a folder: name a file in it")
    if os.path.exists(final) and not os.access(final, os.W_OK):
        raise errors.NoPermission(f"{place} exists and may not be written")
    fd = _open_output(part, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
    except OSError as e:
        os.close(fd)
        if e.errno == errno.EWOULDBLOCK:
            raise errors.CannotCreate(f"{part} is being written by another process: choose another name") from e
        raise errors.CannotCreate(f"{part} cannot be written: {e.strerror}") from e
    return fd


def _target(place: str) -> str:
    try:
        return os.path.realpath(place)
    except (OSError, ValueError) as e:
        raise errors.CannotCreate(f"{place!r} cannot be written: {_reason(e)}") from e


def _is_special(place: str) -> bool:
    """Something exists there that is neither a file nor a folder."""
    try:
        mode = os.stat(place).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _high(fd: int) -> int:
    """Keeps 0, 1 and 2 free: a tool started with stdout closed must not find a file of ours there."""
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def _widen(fd: int) -> None:
    """A pipe of 1 MiB. Not allowed (a user's pipes hold too much already) or not possible: it stays as it is."""
    try:
        if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < limits.PIPE:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, limits.PIPE)
    except OSError:
        pass


def _wait(fd: int, event: int) -> None:
    """For a descriptor that somebody else made non-blocking."""
    poll = select.poll()
    poll.register(fd, event)
    with blocking():
        poll.poll()


def _sync_folder(path: str) -> None:
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems cannot sync a folder
            raise
    finally:
        os.close(fd)


def _close(fd: int, name: str) -> None:
    try:
        os.close(fd)
    except OSError as e:
        raise errors.IOFailure(f"{name}: closing failed: {e.strerror}") from e


def _reason(e: OSError | ValueError) -> str:
    return (e.strerror or str(e)) if isinstance(e, OSError) else str(e)
