"""The kernel's structures for many datagrams a system call, as numpy arrays. 64-bit Linux, little-endian.

Sources: recvmmsg(2), sendmmsg(2), msghdr in recv(2), linux/udp.h.
"""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

MSG = np.dtype(
    [("name", "u8"), ("namelen", "u4"), ("", "u4"), ("iov", "u8"), ("iovlen", "u8"), ("control", "u8"),
     ("controllen", "u8"), ("flags", "i4"), ("", "i4"), ("len", "u4"), ("", "u4")]
)  # fmt: skip
IOV = np.dtype([("base", "u8"), ("len", "u8")])
CONTROL = np.dtype([("len", "u8"), ("level", "i4"), ("type", "i4"), ("value", "i4"), ("", "i4")])
NAME = 28  # bytes of a sockaddr_in6
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
DONTWAIT = 0x40
CALL = 1024  # messages of one system call, and iovecs of one message

_libc = ctypes.CDLL(None, use_errno=True)
recvmmsg = _libc.recvmmsg
recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
sendmmsg = _libc.sendmmsg
sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
get_errno = ctypes.get_errno


class Memory:
    """Pages that are touched as they are used. `bytes`: all of them, uint8; `address` of the first."""

    def __init__(self, size: int):
        self._map = mmap.mmap(-1, size)
        self.bytes = np.frombuffer(self._map, np.uint8)
        self.address = self.bytes.ctypes.data

    def forget(self) -> None:
        """Gives the pages back."""
        self._map.madvise(mmap.MADV_DONTNEED)
