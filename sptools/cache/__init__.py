"""A cache: a folder of Avro files that a relay fills, retention empties, and any tool reads by time.

    CHANNEL/START.avro        a closed segment: one schema, one boot, any Avro library reads it
    CHANNEL/START.avro.part   the open one
    CHANNEL/START.idx         its index: an Avro row a block
    tags/NAME/…               hard links that retention leaves alone

START is the UTC of the segment's first record, such as 20260102T030405.123456789Z.
"""
