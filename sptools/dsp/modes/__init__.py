"""Mode S: the replies and squitters of aircraft transponders on 1090 MHz.

The signal path is the list of files: `magnitude` (IQ → pulse heights at 2 MS/s), `preamble` (where a message may begin),
`slicer` (pulse heights → bits), `crc` (remainders), `accept` (what is believed), `message` (bits → fields, by way of
`surveillance`, `squitter`, `altitude`, `cpr`), `receiver` (all of it as a kernel). `keys` lists the vocabulary.

Source: ICAO Annex 10 volume IV; RTCA DO-260B; J. Sun, The 1090 Megahertz Riddle, 2nd edition.
"""
