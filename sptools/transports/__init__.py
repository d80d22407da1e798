"""Where bytes come from and go to: one file a transport, its name the scheme."""
