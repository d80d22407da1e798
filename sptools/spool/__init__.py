"""A disk spool for what a peer has not acknowledged: its files, who reads them, who carries it away."""
