"""Modules that only the processes started by the tests import: their neighbor in examples/ is on the path there."""

collect_ignore = ["broken_backends.py"]
