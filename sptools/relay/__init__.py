"""The relay: datagrams of many channels, received in batches, published again and stored (DESIGN: cache)."""
