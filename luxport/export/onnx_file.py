"""`to_onnx`: export a model as an ONNX graph, which onnxruntime, browsers and phones run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import check_dtype_name, dtype_name, find_owner, get_backend, to_numpy
from luxport.call_arguments import explain_call_errors, explain_construction
from luxport.core.error_location import replace_message
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.core.modes import test_mode
from luxport.errors import LayerError
from luxport.text import make_safe, name_kind, show

__all__ = ["InputSpec", "to_onnx"]


@explain_construction
@dataclass(frozen=True)
class InputSpec:
    """An input of an exported model: its shape and its dtype.

    Args:
        shape: its sizes; a name such as ``"N"`` for a free size
        dtype: its dtype by name; None for that of the parameters

    >>> InputSpec(("N", 12), "int32")
    InputSpec(shape=('N', 12), dtype='int32')
    """

    shape: tuple[int | str, ...]
    dtype: str | None = None

    def __post_init__(self) -> None:
        check_dtype_name(self.dtype)
        sizes = self.shape if isinstance(self.shape, (tuple, list)) else (None,)
        if not all([_is_size(n) for n in sizes]):
            raise TypeError(f"to_onnx expects sizes as ints of at least 0 or names of free ones, got {self.shape!r}")
        object.__setattr__(self, "shape", tuple([n if isinstance(n, str) else int(n) for n in sizes]))  # type: ignore[arg-type]


@explain_call_errors
def to_onnx(
    path: str | PathLike[str] | None,
    model: Layer,
    ps: Parameters,
    st: States,
    inputs: Any,
    *,
    input_names: str | Sequence[str] | None = None,
    output_names: str | Sequence[str] | None = None,
    opset: int | None = None,
    training: bool = False,
    external_data: bool | None = None,
) -> Any:
    """Write a model as an ONNX file, and return it as an ``onnx.ModelProto``; with a path of None write no file.

    The graph is checked by ``onnx.checker``, and is the same to the byte for the same arguments. Parameters and states
    are its initializers, named by their paths: "layer_1.weight". The graph returns only the output, not the new states:
    each call starts from `st`.

    Args:
        path: the file, which is overwritten; None for none
        model: a layer
        ps: its parameters
        st: its states
        inputs: the model's input as a shape, whose sizes are ints or names of free sizes (``("N", 1, 28, 28)``), as an
            `InputSpec`, which has a dtype too, or as an example array, whose sizes are all fixed; or a tuple or dict of
            these, as the model takes
        input_names: a name for each array of the input; the default is "x", or "x_0", "x_1", …
        output_names: a name for each array of the output; the default is "y", or "y_0", "y_1", …
        opset: the version of ONNX's operators; the default is 21, which onnxruntime supports since 1.20
        training: whether to run the layers in the mode of `st` instead of test mode; drawing random numbers is an error
        external_data: whether to store the parameters in a separate file, with ``.data`` added to the name, so that the
            returned model only refers to it; the default is to do so above 2 GB, the limit of a single ONNX file

    Raises: BackendNotFoundError without onnx; TypeError for inputs that are none of the above; ValueError for wrong
            names, or an unknown opset; LayerError, with the path in the model, for inputs that the model does not
            take, and LayerTypeError for what a graph cannot represent: random numbers, callbacks into Python, Python
            code that depends on an array's values, functions of other libraries, and whatever else raises while the
            graph is recorded

    >>> import luxport
    >>> model = luxport.Chain(luxport.Dense(4, 8, luxport.relu), luxport.Dense(8, 3))
    >>> ps, st = luxport.setup(0, model)
    >>> onnx_model = luxport.to_onnx(None, model, ps, st, ("N", 4))
    >>> [node.op_type for node in onnx_model.graph.node]
    ['Gemm', 'Relu', 'Gemm']
    """
    check_layer("to_onnx", model)
    if not isinstance(ps, Mapping) or not isinstance(st, Mapping):
        raise TypeError(
            "to_onnx is called as to_onnx(path, model, ps, st, inputs), "
            f"got {name_kind(ps)} and {name_kind(st)} as parameters and states"
        )
    if path is not None and not isinstance(path, (str, PathLike)):
        raise TypeError(f"to_onnx expects a path, or None, got {name_kind(path)}")
    if opset is not None and (not isinstance(opset, int) or isinstance(opset, bool)):
        raise TypeError(f"to_onnx expects an int as opset, got {show(opset)}")
    if not isinstance(training, bool) or not (external_data is None or isinstance(external_data, bool)):
        got = f"{show(training)} and {show(external_data)}"
        raise TypeError(f"to_onnx expects True or False as training, and as external_data if it is given, got {got}")
    backend: Any = get_backend("onnx")
    ps, st = to_numpy(ps), to_numpy(st if training else test_mode(st))
    specs = tree.map(lambda leaf: InputSpec(leaf.shape, leaf.dtype or _find_dtype(ps)), _describe_inputs(inputs))
    names = _name_arrays("input_names", input_names, specs, "x")

    def program(x: Any, ps: Any, st: Any) -> Any:
        try:
            return model(x, ps, st)[0]
        except LayerError:
            raise
        except Exception as error:
            raise replace_message(_find_cause(error), error) from error

    return backend.export(
        program,
        *(specs, ps, st),
        path=None if path is None else os.fspath(path),
        input_names=names,
        name_outputs=lambda y: _name_arrays("output_names", output_names, y, "y", taken=names),
        opset=opset,
        external_data=external_data,
    )


def _find_cause(error: Exception) -> str:
    """Return why a model could not be recorded; errors other than the ONNX backend's own need more explanation."""
    line = make_safe(str(error).partition("\n")[0], 200)
    if line.startswith("onnx "):
        return f"cannot be recorded: {line}"
    return (
        f"cannot be recorded, {type(error).__name__}: {line}. A model for ONNX is made of functions of luxport.ops and "
        "luxport.namespace(x); it sees None for a size that is free"
    )


def _is_size(size: Any) -> bool:
    if isinstance(size, str):
        return size.isidentifier()
    return isinstance(size, (int, np.integer)) and not isinstance(size, bool) and bool(size >= 0)


def _describe_inputs(inputs: Any) -> Any:
    """Return a tree of `InputSpec` for a tree of shapes, arrays and specs."""
    if isinstance(inputs, InputSpec):
        return inputs
    if find_owner(type(inputs)) is not None:
        return InputSpec(tuple(inputs.shape), dtype_name(inputs))
    if isinstance(inputs, Mapping):
        return {key: _describe_inputs(value) for key, value in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        if inputs and not any([isinstance(part, (int, str, np.integer)) for part in inputs]):
            return tree.like_sequence(inputs, [_describe_inputs(part) for part in inputs])
        return InputSpec(tuple(inputs))
    if inputs is None:
        return None
    raise TypeError(f"to_onnx expects inputs as shapes, InputSpecs or example arrays, got {type(inputs).__name__}")


def _find_dtype(ps: Any) -> str:
    """Return the dtype of the first floating parameter."""
    floating = [name for name in map(dtype_name, tree.leaves(ps)) if "float" in name]
    return floating[0] if floating else "float32"


def _name_arrays(option: str, given: Any, values: Any, default: str, taken: Sequence[str] = ()) -> list[str]:
    """Return a name for each array of a tree: the given names, or the default name followed by the array's path."""
    paths = [path for path, _ in tree.leaves_with_path(values)]
    if given is None:
        return ["_".join((default, *path)) for path in paths]
    if not isinstance(given, (str, list, tuple)):
        raise TypeError(f"to_onnx expects {option} as a name or a list of them, got {name_kind(given)}")
    names = [given] if isinstance(given, str) else list(given)
    if len(names) != len(paths):
        raise ValueError(f"to_onnx expects {len(paths)} {option}, got {len(names)}: {', '.join(map(str, names))}")
    if not all([isinstance(name, str) and name for name in names]) or len({*names, *taken}) < len(names) + len(taken):
        raise ValueError(
            f"to_onnx expects {option} that are not empty and all different, got {', '.join(map(str, names))}"
        )
    return names
