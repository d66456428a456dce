"""Compiled gradients of nested `jvp`, in a process of its own, since they used to abort it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import luxport as lp

def slope(f):
    return lambda p: lp.jvp(f, (p,), (lp.stop_gradient(p) * 0.0 + 1.0,))[1]

twice = slope(slope(lambda p: lp.namespace(p).sum(p**4)))
print(lp.jit(lp.grad(twice))(lp.asarray([1.0, 2.0], backend="torch")).tolist())
"""


def test_pytorch_compiles_the_gradient_of_nested_jvps():
    child = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert child.stdout.strip() == "[24.0, 48.0]", child.stderr[-2000:]
