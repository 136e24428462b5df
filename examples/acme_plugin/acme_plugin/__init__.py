"""Example plug-ins for lsbench, one of each kind."""
