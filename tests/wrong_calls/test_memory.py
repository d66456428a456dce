"""Running out of memory is luxport's own error on every backend, not a crash: in a child with little memory."""

import subprocess
import sys

import pytest

import luxport
from luxport import ops
from luxport.backend.memory import explain_memory

CHILD = """
import resource, sys
import numpy as np, luxport
from luxport import ops

luxport.setup(0, luxport.Dense(1, 1), backend=(backend := sys.argv[1]))
rows = luxport.asarray(np.ones((6, 2), np.float32), backend=backend)
index = luxport.asarray(np.zeros(6, np.int32), backend=backend)
column = luxport.asarray(np.ones((40_000, 1), np.float32), backend=backend)
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), now + (1 << 30)))
for call in (
    lambda: ops.scatter(rows, index, size=10**9),
    lambda: ops.batched_mul(column, ops.batched_transpose(column)),
    lambda: luxport.setup(0, luxport.Dense(30_000, 30_000), backend=backend),
    lambda: luxport.setup(0, luxport.LSTM(10**8, 3), backend=backend),
    lambda: luxport.setup(0, luxport.SinusoidalPositionalEmbedding(10**9), backend=backend),
    lambda: luxport.training.onehotbatch(np.zeros(10_000, np.int32), 200_000),
):
    try:
        call()
        raise SystemExit("taken")
    except luxport.LayerError as error:
        assert isinstance(error, MemoryError) and "fit into memory" in str(error), error
"""


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_process_without_memory_raises_a_one_line_error(backend):
    done = subprocess.run([sys.executable, "-c", CHILD, backend], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_errors_of_accelerators_pass_unchanged():
    assert explain_memory(RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")) is None
    assert explain_memory(ValueError("shape")) is None
    for text in ("[enforce fail] DefaultCPUAllocator: can't allocate memory", "RESOURCE_EXHAUSTED: Out of memory"):
        assert isinstance(explain_memory(RuntimeError(text)), MemoryError)


def test_sizes_beyond_the_machine_are_refused_before_allocation():
    import numpy as np

    for size in (10**12, 2**39):
        with pytest.raises(luxport.LayerError, match="memory|at least 0"):
            ops.scatter(np.ones((2, 3)), np.zeros(2, np.int32), size=size)
