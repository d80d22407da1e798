"""Receivers, real and simulated: one file a driver, its name the prefix in an endpoint."""
