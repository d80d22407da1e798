"""Demodulators: one file each, its name the MODE of sp-demod."""
