"""Modules that only the processes started by the tests import: their neighbour in examples/ is on the path there."""

collect_ignore = ["broken_backends.py"]
