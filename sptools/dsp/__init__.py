"""Array functions with carried state. Knows arrays, and nothing of Avro, clocks or files.

The walk of a demodulator: `chunk` (any block → equal chunks) → `tuner` (`mix`, `fir`, laid out by `resample`) → `detect`
(`agc`) → `audio` → `squelch`. `kernel` states what each keeps to.

Filters are small matrix products in BLAS. OpenBLAS spreads even those over all cores, for 1.6 times the CPU time and
hardly less wall time, and reads its setting when numpy is first imported: a program that demodulates sets
OPENBLAS_NUM_THREADS=1 (unless the user has set it) before anything imports numpy. `cli` does.
"""
