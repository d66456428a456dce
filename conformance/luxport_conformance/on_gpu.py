"""``make gpu``: the suite, the bits of masks and the benchmark on a GPU, in eight minutes at most, and one JSON of it.

JAX, PyTorch and CuPy are asked, those that are installed and name a GPU. The suite runs without TF32, and in part with
it, as it makes products of float32 inexact by design. TensorFlow is left out: nobody has seen it there.
``python -m luxport_conformance.on_gpu --device cpu`` tries the parts on a machine without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport import ops
from luxport.backend import available_backends

__all__ = ["Part", "list_parts", "main"]

BACKENDS = ("torch", "jax", "cupy")
ALLOWED = 470.0
"""The time limit in seconds of all parts together; each part has its own limit too, and reports if it exceeds it."""

TF32: Mapping[str, Mapping[str, str]] = {
    "off": {"NVIDIA_TF32_OVERRIDE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "float32"},
    "on": {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1", "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32"},
}
"""Environment variables of NVIDIA's libraries, PyTorch and JAX that turn TF32 off or on."""

_LAWS = "^(values|gradients_agree|jit_is_eager|override_is_definition)-"
_PRODUCTS = _LAWS + "(Dense|Conv|Bilinear|MultiHead|RNN|LSTM|GRU|conv|dense|scaled)"


class Part(NamedTuple):
    """One process: its name, its command, its additional environment variables, and its time limit in seconds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    seconds: float


def list_parts(backend: str, device: str, folder: Path) -> Iterator[Part]:
    """Yield the parts to run for a backend; the suite writes its reports below `folder`."""
    here = [sys.executable, "-m"]
    yield Part(f"{backend}: masks", [*here, __spec__.name, "--masks", backend, "--device", device], {}, 45.0)
    for tf32, pattern, seconds in (("off", _LAWS, 120.0), ("on", _PRODUCTS, 60.0)):
        if backend == "cupy" and tf32 == "on":
            continue
        suite = ["luxport_conformance", "--backend", backend, "--device", device, "--layer", pattern]
        name = f"{backend}: suite, TF32 {tf32}"
        yield Part(name, [*here, *suite, "--report", str(folder / name)], TF32[tf32], seconds)
    if backend != "cupy":
        bench = ["benchmarks.training_step", backend, "0.5", "W1,W3"]
        yield Part(f"{backend}: bench", [*here, *bench], {"LUXPORT_BENCH_DEVICE": device}, 60.0)


def main(arguments: list[str] | None = None) -> int:
    """Run the parts, or print that there is no GPU; return 1 if a part failed, other than the suite with TF32."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="gpu:0")
    parser.add_argument("--masks", metavar="BACKEND", help="compare the bits of masks on this backend alone")
    parser.add_argument("--json", default="docs/gpu.json", help="the file to write")
    options = parser.parse_args(arguments)
    if options.masks:
        return _compare_masks(options.masks, options.device)
    named = {name: _list_devices(name) for name in BACKENDS}
    able = [name for name, devices in named.items() if options.device in devices]
    if not able:
        told = "; ".join(f"{name} has {', '.join(devices) or 'no device'}" for name, devices in named.items())
        print(f"no {options.device} at hand: {told}. Nothing was run")
        return 0
    found, end = list[dict[str, Any]](), time.monotonic() + ALLOWED
    with tempfile.TemporaryDirectory() as folder:
        for name in able:
            for part in list_parts(name, options.device, Path(folder)):
                found.append(_run(part, end, Path(folder)))
                print(json.dumps(found[-1])[:200], flush=True)
    told = {
        "made": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": options.device,
        "accelerator": _name_accelerator(),
        "parts": found,
    }
    Path(options.json).write_text(json.dumps(told, indent=1) + "\n")
    expected = [one for one in found if "TF32 on" not in one["part"]]
    return 0 if all(one["status"] == 0 for one in expected) else 1


def _run(part: Part, end: float, folder: Path) -> dict[str, Any]:
    start = time.monotonic()
    try:
        done = subprocess.run(
            part.command,
            env=os.environ | part.environment,
            timeout=max(1.0, min(part.seconds, end - start)),
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return {"part": part.name, "status": None, "told": f"did not end in {time.monotonic() - start:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line] or done.stderr.splitlines()[-1:] or [""]
    one = {"part": part.name, "status": done.returncode, "seconds": round(time.monotonic() - start, 1)}
    report = folder / part.name / "report.json"
    if report.exists():
        data = json.loads(report.read_text())
        worst: dict[str, float] = {}
        for check in data["checks"]:
            if check["ulps"] is not None:
                worst[check["subject"]] = max(worst.get(check["subject"], 0.0), round(check["ulps"], 1))
        failed = sorted({check["subject"] for check in data["checks"] if check["outcome"] == "failed"})
        return {**one, "outcomes": data["outcomes"], "failed": failed, "worst": worst, "versions": data["versions"]}
    return {**one, "told": json.loads(lines[-1]) if lines[-1].startswith("[") else lines[-1]}


def _compare_masks(backend: str, device: str) -> int:
    """Compare a million random bits, eager and compiled, with NumPy's, and print how many differ; return 1 if any."""
    key, counter = np.array([1, 2], np.int32), np.array(5, np.int32)

    def draw_mask(key: Any, counter: Any) -> Any:
        return ops.keep_mask(key, counter, shape=(1000, 1000), p=0.3)

    wanted = draw_mask(key, counter)
    there = luxport.to((key, counter), backend=backend, device=device)
    ways = {"eager": draw_mask} if backend == "cupy" else {"eager": draw_mask, "compiled": luxport.jit(draw_mask)}
    apart = {way: int((luxport.to_numpy(f(*there)) != wanted).sum()) for way, f in ways.items()}
    print(", ".join(f"{way}: {count} of {wanted.size} bits differ" for way, count in apart.items()))
    return 1 if any(apart.values()) else 0


def _list_devices(backend: str) -> list[str]:
    if backend not in available_backends():
        return []
    try:
        return [device.name for device in luxport.devices.list_devices(backend)]
    except Exception:  # CuPy raises its own class of error if there is no driver
        return []


def _name_accelerator() -> str:
    """Return the GPU's name and the driver's version from ``nvidia-smi``, or an empty string."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


if __name__ == "__main__":
    sys.exit(main())
