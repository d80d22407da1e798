"""sim:telemetry: rows of a small sensor."""

from __future__ import annotations

import math
from typing import Annotated

from sptools.units import Rate, Within

from ._noise import scramble

SCHEMA = {
    "type": "record",
    "name": "sensor",
    "namespace": "sim",
    "doc": "A simulated sensor.",
    "fields": [
        {"name": "time", "type": {"type": "long", "logicalType": "timestamp-nanos"}, "unit": "ns", "doc": "UTC"},
        {"name": "counter", "type": "long", "doc": "rows since the start"},
        {"name": "temperature_C", "type": "double", "unit": "C", "doc": "a day in ten minutes"},
        {"name": "voltage_V", "type": "double", "unit": "V", "doc": "a battery that empties in an hour and is changed"},
        {"name": "status", "type": "string", "doc": "ok, warm or low"},
    ],
}
WARM_C = 26.0
LOW_V = 11.0


def telemetry(*, rate: Annotated[Rate, Within(0.001, 1e6)] = 10.0, seed: int = 1) -> Sensor:
    """Telemetry rows: time, counter, temperature_C, voltage_V and a status text; `rate` rows a second."""
    return Sensor(rate, seed)


class Sensor:
    """Rows as a function of their number. `start`: ns UTC of row 0."""

    datatype = ""
    freq = 0.0
    gain = float("nan")
    schema = SCHEMA
    start = 0

    def __init__(self, rate: float, seed: int):
        self.rate, self.seed = rate, seed

    def tune(self, freq: float, gain: float) -> None:
        """A sensor has nothing to tune."""

    def chunk(self, live: bool) -> int:
        return 1000

    def row(self, number: int) -> dict:
        seconds = number / self.rate
        jitter = scramble(self.seed, 50, number) / 2**64 - 0.5
        temperature = round(20 + 8 * math.sin(2 * math.pi * seconds / 600) + 0.2 * jitter, 3)
        voltage = round(12.6 - 2.0 * (seconds % 3600) / 3600 + 0.02 * jitter, 3)
        return {
            "time": self.start + round(number * 10**9 / self.rate),
            "counter": number,
            "temperature_C": temperature,
            "voltage_V": voltage,
            "status": "low" if voltage < LOW_V else "warm" if temperature > WARM_C else "ok",
        }

    def take(self, start: int, stop: int) -> list[dict]:
        return [self.row(number) for number in range(start, stop)]
