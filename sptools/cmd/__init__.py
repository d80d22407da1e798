"""The commands: one thin file a tool, its name the tool's."""
