"""The sections of the panel, one module each."""
