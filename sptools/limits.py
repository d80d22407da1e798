"""How much of anything is believed before it is checked. Hostile input is data: every reader refuses what lies beyond.

Sizes are bytes. Each limit is tested one below, at, and one above.
"""

KiB = 1 << 10
MiB = 1 << 20

HEADER = 2 * MiB  # a container's header; 10,000 fields need 1.3 MB of schema
HEADER_KEYS = 256  # metadata entries in a header
DEPTH = 32  # of a schema's types, and of JSON that arrives from outside
SCHEMA_NODES = 65_536  # types in one row, named ones counted wherever they are used
BLOCK = 16 * MiB  # compressed, or held whole; a longer `null` block is streamed
EXPANDED = 16 * MiB  # what one compressed block may become; checked while it expands
EMPTY_ROWS = 65_536  # rows a block where a row takes no bytes
DECODED = 32 * MiB  # what rows handed on at once may weigh as Python objects
JSON_BODY = 64 * KiB
CONFIG = 256 * KiB
PIECE = 256 * KiB  # one delivery out of something longer, and the usual block of a file
GATHER = 64 * KiB  # rows wait for that many bytes before they are written as a block
PIPE = MiB  # size asked of a pipe: 2 to 2.5 times the throughput of the default 64 KiB
HERTZ = 1e12  # of a rate or frequency that is believed; light begins above
TIME_ns = 9.2e18  # the years 1678 to 2261: int64 with half a year of room for sums
DEMOD_RATE = 250e6  # samples/s; a filter designed for more takes seconds and a GiB
NAME = 64
PATH = 4096
