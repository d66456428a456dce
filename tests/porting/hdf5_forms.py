"""HDF5 files that h5py writes: plain arrays in every form that is read, and forms that point elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
BIAS = np.array([1, -1], np.float32)
NET = "parameters/net/m"


def write_file(fill: Callable[[Any], None], **options: Any) -> bytes:
    """Return the bytes of a file that `fill` writes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        fill(file)
    return buffer.getvalue()


def arrays(**options: Any) -> Callable[[Any], None]:
    """Return a function that writes a layer's parameters and an input, with options of h5py's create_dataset."""

    def fill(file: Any) -> None:
        file.create_dataset(f"{NET}/weight", data=WEIGHT, **options)
        file.create_dataset(f"{NET}/bias", data=BIAS)
        file.create_dataset("inputs/x/data", data=WEIGHT.astype(">f8"), **options)
        file.attrs["about"] = ["a", "b"]
        file[NET].attrs["flag"] = np.True_

    return fill


def _compact(file: Any) -> None:
    arrays()(file)
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_layout(h5py.h5d.COMPACT)
    del file[f"{NET}/bias"]
    space, kind = h5py.h5s.create_simple((2,)), h5py.h5t.IEEE_F32LE
    found = h5py.h5d.create(file[NET].id, b"bias", kind, space, layout)
    found.write(h5py.h5s.ALL, h5py.h5s.ALL, BIAS)


def _wide(file: Any) -> None:
    arrays()(file)
    for i in range(60):
        file[f"inputs/entry number {i}/values"] = np.arange(i, dtype=np.int16)


SOUND: dict[str, bytes] = {
    "plain": write_file(arrays()),
    "latest": write_file(arrays(), libver="latest"),
    "v110": write_file(arrays(), libver=("v110", "v110")),
    "chunked": write_file(arrays(chunks=(1, 2))),
    "deflated": write_file(arrays(chunks=(2, 2), compression="gzip", shuffle=True, fletcher32=True)),
    "deflated latest": write_file(arrays(chunks=(2, 2), compression="gzip", shuffle=True), libver="latest"),
    "one chunk": write_file(arrays(chunks=(2, 3), compression="gzip"), libver="latest"),
    "compact": write_file(_compact),
    "wide": write_file(_wide),
    "wide latest": write_file(_wide, libver="latest"),
    "user block": write_file(arrays(), userblock_size=512),
    "user block, latest": write_file(arrays(), libver="latest", userblock_size=1024),
    "in order": write_file(_wide, track_order=True),
}


def _with(change: Callable[[Any, Any], None]) -> Callable[[Any], None]:
    def fill(file: Any) -> None:
        arrays()(file)
        weight = file[f"{NET}/weight"]
        del file[f"{NET}/weight"]
        change(file[NET], weight)

    return fill


def _virtual(group: Any, _: Any) -> None:
    layout = h5py.VirtualLayout((2, 3), np.float32)
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (2, 3))
    group.create_virtual_dataset("weight", layout)


def _soft_to_external(group: Any, _: Any) -> None:
    group.file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/x")
    group["weight"] = h5py.SoftLink("/elsewhere")


def _set(make: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    def change(group: Any, weight: Any) -> None:
        group["weight"] = make(weight)

    return change


def _text(group: Any, _: Any) -> None:
    group.create_dataset("weight", data=np.array([["a", "b", "c"]] * 2, dtype=object), dtype=h5py.string_dtype())


HOSTILE: dict[str, bytes] = {
    "external storage": write_file(
        _with(lambda g, _: g.create_dataset("weight", (2, 3), "f4", external=[("/etc/passwd", 0, 24)]))
    ),
    "external link": write_file(_with(lambda g, _: g.__setitem__("weight", h5py.ExternalLink("/etc/hostname", "/x")))),
    "soft link": write_file(_with(lambda g, _: g.__setitem__("weight", h5py.SoftLink("/inputs/x/data")))),
    "soft link, latest": write_file(
        _with(lambda g, _: g.__setitem__("weight", h5py.SoftLink("/inputs/x/data"))), libver="latest"
    ),
    "soft to external": write_file(_with(_soft_to_external)),
    "virtual": write_file(_with(_virtual), libver="latest"),
    "unwritten": write_file(_with(lambda g, _: g.create_dataset("weight", (1 << 15, 1 << 15), "f4", fillvalue=1.0))),
    "unwritten chunks": write_file(
        _with(lambda g, _: g.create_dataset("weight", (1 << 15, 1 << 15), "f4", chunks=(1 << 10, 1 << 10)))
    ),
    "expanding": write_file(
        _with(
            lambda g, _: g.create_dataset(
                "weight", data=np.zeros((1 << 13, 1 << 13), np.uint8), chunks=(1 << 13, 1 << 13), compression="gzip"
            )
        )
    ),
    "text": write_file(_with(_text)),
    "record": write_file(_with(_set(lambda w: np.zeros((2, 3), [("a", "f4"), ("b", "i4")])))),
    "reference": write_file(_with(lambda g, w: g.create_dataset("weight", data=w.ref, dtype=h5py.ref_dtype))),
    "lists": write_file(_with(lambda g, _: g.create_dataset("weight", (2, 3), h5py.vlen_dtype(np.float32)))),
    "truth": write_file(_with(_set(lambda w: np.ones((2, 3), bool)))),
    "lzf": write_file(_with(lambda g, w: g.create_dataset("weight", data=np.zeros((2, 3)), compression="lzf"))),
    "scale-offset": write_file(_with(lambda g, w: g.create_dataset("weight", data=WEIGHT.astype(int), scaleoffset=2))),
}


def save(folder: Path, data: bytes) -> Path:
    """Write bytes to a file in the folder and return its path."""
    path = folder / "ps.hdf5"
    path.write_bytes(data)
    return path
