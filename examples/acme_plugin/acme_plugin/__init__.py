"""Plug-ins for lsbench: one of each kind."""
