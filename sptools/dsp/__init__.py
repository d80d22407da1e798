"""Array functions with carried state. Knows arrays, and nothing of Avro, clocks or files."""
