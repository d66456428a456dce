"""A pytest plugin that seeds Python's generator, from which some tests draw despite `--derandomize`."""

import random


def pytest_runtest_setup() -> None:
    random.seed(0)
