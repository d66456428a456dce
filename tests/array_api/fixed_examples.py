"""A plugin for the suite's run: some of its tests draw at random however pytest is told to derandomize."""

import random


def pytest_runtest_setup() -> None:
    random.seed(0)
