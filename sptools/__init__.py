"""sptools: the coreutils of radio spectrum."""

__version__ = "0.1.0"
