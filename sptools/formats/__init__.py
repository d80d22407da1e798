"""What bytes mean: one file a format, its name the prefix in an endpoint."""
