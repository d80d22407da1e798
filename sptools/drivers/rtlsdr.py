"""RTL-SDR dongles on USB, through the librtlsdr that pyrtlsdr brings, or else the system's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from sptools.units import PPM, Gain, Hertz, Live, Rate, Tuned, Within

from .. import errors
from ._rtlrange import FREQ, RATE

NONE = "no RTL-SDR found: plug one in (a container or virtual machine must be given it)"

if TYPE_CHECKING:
    from ._rtlcalls import Library
    from ._rtlusb import UsbReceiver


def rtlsdr(
    address: str = "0",
    *,
    serial: str | None = None,
    freq: Annotated[Live[Tuned], Within(0, 2.3e9)] = 100e6,
    rate: Annotated[Rate, Within(225001, 3.2e6)] = 2.4e6,
    gain: Live[Gain] = float("nan"),
    ppm: Annotated[Live[PPM], Within(-1000, 1000)] = 0.0,
    direct: Literal["off", "i", "q"] = "off",
    bandwidth: Hertz | None = None,
    bias_tee: bool = False,
    agc: bool = False,
) -> UsbReceiver:
    """An RTL-SDR dongle on USB.

    `rtlsdr:0` is the first, `rtlsdr:serial=00000101` the one with that serial number, wherever it is plugged in.
    Datatype cu8. A dongle does not number its samples: what USB loses is estimated from the clock, at least one block
    of 10 ms, seen within a second or two. No samples for 3 s, or an unplugged dongle, ends with exit status 69.

    Settings:
        serial: serial number of the dongle, instead of its index
        freq: frequency that the tuner is set to
        rate: samples per second, 225001 to 300000 or 900001 to 3200000
        gain: gain of the tuner, the nearest that it has; auto lets the tuner choose
        ppm: error of the crystal, in whole ppm
        direct: sample an input of the RTL2832U itself, without tuner, for short wave
        bandwidth: width of the tuner's filter; chosen by the rate unless given
        bias_tee: put 4.5 V on the antenna socket while running
        agc: digital gain control of the RTL2832U
    """
    from ._rtlusb import UsbReceiver

    lib = library()
    return UsbReceiver(
        lib,
        find(lib, address, serial),
        freq=FREQ if freq is None else freq,
        rate=RATE if rate is None else rate,
        gain=float("nan") if gain is None else gain,
        ppm=ppm or 0.0,
        direct=direct or "off",
        bandwidth=bandwidth,
        bias_tee=bool(bias_tee),
        agc=bool(agc),
    )


def devices() -> list[str]:
    """A line for each dongle: endpoint, model, serial number; or one that says why there is none."""
    try:
        have = library().names()
    except errors.Unavailable as why:
        return [f"rtlsdr: {why}"]
    lines = [
        f"rtlsdr:{index}  {model}  serial={serial or '? (no permission)'}" for index, (model, serial) in enumerate(have)
    ]
    return lines or [f"rtlsdr: {NONE}"]


def library() -> Library:
    """librtlsdr, found by pyrtlsdr (which may bundle it), else by the system's linker."""
    from . import _rtlcalls

    try:
        from rtlsdr.librtlsdr import librtlsdr as handle
    except (ImportError, AttributeError, OSError):  # AttributeError: pyrtlsdr on a librtlsdr older than it wants
        handle = _rtlcalls.load()
    if handle is None:
        raise errors.Unavailable("no librtlsdr: 'pipx inject sptools-sdr pyrtlsdr[lib]' or 'apt install rtl-sdr'")
    return _rtlcalls.Library(handle)


def find(lib: Library, address: str, serial: str | None) -> int:
    """The index of the dongle that an endpoint means."""
    place = address.strip()
    if place.startswith("serial="):
        place, serial = "", place.removeprefix("serial=")
    if place and serial is not None:
        raise errors.Usage(f"rtlsdr:{address} with serial={serial}: give the index or the serial number")
    if serial is None and place and not (place.isascii() and place.isdigit()):
        raise errors.Usage(f"rtlsdr:{address} is not a dongle: write rtlsdr:0 or rtlsdr:serial=00000101")
    have = lib.names()
    if not have:
        raise errors.Unavailable(NONE)
    if serial is not None:
        for index, (_, number) in enumerate(have):
            if number == serial:
                return index
        raise errors.Unavailable(
            f"no RTL-SDR with serial {serial}: found {', '.join(number or '?' for _, number in have)}"
        )
    index = int(place or "0")
    if index >= len(have):
        raise errors.Unavailable(f"no RTL-SDR number {index}: {len(have)} found, the first is rtlsdr:0")
    return index
