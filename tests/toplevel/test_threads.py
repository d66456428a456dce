"""Lazy names and backends may be used first by several threads at once, in a fresh process."""

import subprocess
import sys

import pytest

RACE = """
import sys, threading
sys.setswitchinterval(1e-5)
import luxport
uses = [{uses}]
start, failures = threading.Barrier(len(uses)), []
def first(use):
    start.wait()
    try:
        use()
    except BaseException as error:
        failures.append(repr(error))
threads = [threading.Thread(target=first, args=(use,), daemon=True) for use in uses]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
    assert not thread.is_alive(), "two threads wait for each other"
assert not failures, failures
"""


@pytest.mark.parametrize(
    "uses",
    [
        ("luxport.save", "luxport.to_torch"),
        ("luxport.porting.load_model", "luxport.from_keras", "luxport.load", "luxport.LSTM"),
        (
            "luxport.asarray([1.0], backend='torch')",
            "luxport.setup(0, luxport.Dense(1, 1), backend='torch')",
            "luxport.backend_of(__import__('torch').ones(1)).jit(luxport.relu)",
            "__import__('luxport_torch')",
            "luxport.asarray([1.0], backend='jax')",
            "luxport.backend_of(__import__('jax').numpy.ones(1))",
            "luxport.asarray([1.0], backend='numpy')",
            "luxport.available_backends()",
        ),
    ],
)
def test_several_threads_may_use_a_name_first(uses):
    code = RACE.format(uses=", ".join(f"lambda: {use}" for use in uses))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
