"""One open segment and its index, on the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Sequence

from sptools import errors, limits
from sptools.cache import index, layout
from sptools.cache.layout import INDEX, PART, SEGMENT

SYNC = 8 * limits.MiB  # written and not yet durable: more waits for the disk


class File:
    """`START.avro.part` and `START.idx` in `folder`; `size` bytes of whole blocks, `blocks` of them.

    The part is locked as long as it is open, so that recovery knows it from what a crash left. After an I/O error the
    file is given up: no byte is written to it again, and recovery cuts it to its last whole block.
    """

    def __init__(self, folder: str, begin: int, header: bytes, marker: bytes, sync: float):
        self.folder, self.marker, self.sync_s = folder, marker, sync
        self.size = self.blocks = self.unsynced = 0
        self.opened = self.synced = time.monotonic()
        self.named = False  # the folder knows the name durably
        self.lossy = False  # the index holds a loss that is not durable
        self.stem, self._fd = _create(folder, begin)
        self._index = -1
        try:
            self._index = os.open(self._path(INDEX), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            _all(self._index, [index.head(header, marker)])
            _all(self._fd, [header])
        except OSError as e:
            self.abandon()
            self._remove()
            raise errors.IOFailure(f"{self._path(PART)}: writing failed: {e.strerror}") from e
        self.size = self.unsynced = len(header)

    def append(self, buffers: Sequence, row: tuple[int, ...], size: int) -> None:
        """A whole block and, before it, its row."""
        try:
            _all(self._index, [index.encode(row, self.marker)])
            _all(self._fd, buffers)
        except OSError as e:
            raise self._fatal("writing failed", e) from e
        self.size += size
        self.unsynced += size
        self.blocks += 1
        self.lossy = self.lossy or row[index.LOST] > 0

    def due(self, now: float) -> bool:
        """Is there something that should be durable by now?"""
        return self.unsynced > 0 and (self.unsynced >= SYNC or not self.sync_s or now - self.synced >= self.sync_s)

    def sync(self) -> None:
        try:
            os.fdatasync(self._fd)
            if self.lossy:  # all else in an index can be had from the blocks
                os.fdatasync(self._index)
            if not self.named:
                layout.sync(self.folder)
        except OSError as e:
            raise self._fatal("syncing failed", e) from e
        self.named, self.lossy, self.unsynced, self.synced = True, False, 0, time.monotonic()

    def close(self) -> str:
        """Durable under its final name, which is returned. Without a block there is nothing to keep."""
        if not self.blocks:
            self.abandon()
            self._remove()
            return ""
        final = self._path(SEGMENT)
        try:
            os.fsync(self._fd)
            os.fsync(self._index)
            os.rename(self._path(PART), final)
            layout.sync(self.folder)
        except OSError as e:
            raise self._fatal("closing failed", e) from e
        self.abandon()
        return final

    def abandon(self) -> None:
        """Closes the descriptors and leaves what there is."""
        for fd in (self._index, self._fd):
            if fd >= 0:
                try:
                    os.close(fd)
                except OSError:
                    pass
        self._index = self._fd = -1

    def _fatal(self, what: str, e: OSError) -> errors.IOFailure:
        self.abandon()
        return errors.IOFailure(
            f"{self._path(PART)}: {what}: {e.strerror}; {self.blocks:,} whole blocks are in it, it is not written any further"
        )

    def _path(self, suffix: str) -> str:
        return os.path.join(self.folder, self.stem + suffix)

    def _remove(self) -> None:
        for suffix in (PART, INDEX):
            try:
                os.unlink(self._path(suffix))
            except OSError:
                pass


def _create(folder: str, begin: int) -> tuple[str, int]:
    """A part under a name that nothing else has, locked. A taken one moves it on by a nanosecond."""
    try:
        os.makedirs(folder, exist_ok=True)
        while True:
            stem = layout.stem(begin)
            path = os.path.join(folder, stem)
            if os.path.exists(path + SEGMENT) or os.path.exists(path + INDEX):
                begin = max(0, begin) + 1
                continue
            try:
                fd = os.open(path + PART, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except FileExistsError:
                begin = max(0, begin) + 1
                continue
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return stem, fd
    except PermissionError as e:
        raise errors.NoPermission(f"{folder} may not be written: {e.strerror}") from e
    except OSError as e:
        kind = errors.IOFailure if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else errors.CannotCreate
        raise kind(f"a segment in {folder} cannot be created: {e.strerror}") from e


def _all(fd: int, buffers: Sequence) -> None:
    """Every byte of every buffer; a short write goes on with the rest, and then says why it was short."""
    total = sum(b.nbytes if hasattr(b, "nbytes") else len(b) for b in buffers)
    done = os.writev(fd, buffers)
    if done == total:
        return
    rest = memoryview(b"".join(buffers))[done:]
    while rest:
        done = os.write(fd, rest)
        if not done:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[done:]
