"""The command ``luxport convert``: convert Julia files to ONNX and safetensors, and safetensors to Julia files."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from luxport.backend._dtype_names import check_dtype_name
from luxport.command_line import Arguments
from luxport.core.layer import Layer
from luxport.errors import LayerError
from luxport.export.onnx_file import InputSpec, to_onnx
from luxport.porting.errors import FileFormatError, show
from luxport.porting.files import saving
from luxport.porting.files.detect import is_safetensors
from luxport.porting.files.file_names import check_different_files, check_file_suffix
from luxport.porting.files.opening import check_regular_file
from luxport.porting.flux.state_file import save_flux_state
from luxport.porting.loading import load_model
from luxport.porting.parameters import load_parameters

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Convert a file; return 0, or 2 for a wrong argument, or for a file that cannot be read or does not fit."""
    parser = Arguments(
        prog="luxport convert",
        description="Convert a BSON.jl or JLD2 file to safetensors, to ONNX, or to JLD2 for Flux.loadmodel!.",
    )
    parser.add_argument("file", help="a file with a Flux model, or with parameters for --model, also safetensors")
    parser.add_argument("output", help="the file to write: .safetensors, .jld2 for Julia, .onnx for a whole model")
    parser.add_argument("--model", metavar="MODULE:OBJECT", help="the luxport model to which the parameters belong")
    parser.add_argument("--name", help="the entry of the file, if it has several; dotted if it is inside another")
    parser.add_argument(
        "--flux", metavar="VERSION", help="the version of Flux that wrote the file (0.6), if the file does not say it"
    )
    parser.add_argument(
        "--input",
        metavar="SIZES",
        action="append",
        help="for ONNX, the shape of an input, with names for free sizes: N,1,28,28 or int32:N,T; once for each input",
    )
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:  # argparse has printed the reason
        return int(stopped.code or 0)
    to_graph = options.output.endswith(".onnx")
    try:
        if to_graph != bool(options.input):
            raise ValueError("--input and an .onnx output need each other: --input N,1,28,28")
        check_different_files(options.file, options.output)
        if not to_graph and not options.output.endswith(".jld2"):
            check_file_suffix("it", options.output, ".safetensors", ", .jld2 or .onnx")
        if options.model is None:
            with _print_warnings():
                model, ps, st = load_model(options.file, name=options.name, flux=options.flux, backend="numpy")
        else:
            model = _import_layer(options.model)
            if _is_safetensors(options.file):
                if options.name is not None or options.flux is not None:
                    raise ValueError("--name and --flux are for Julia files, not for safetensors files")
                ps, st = saving.load(options.file, model=model, backend="numpy")
            else:
                chosen = {"name": options.name, "flux": options.flux}
                with _print_warnings():
                    ps, st = load_parameters(options.file, model, **chosen, backend="numpy")
        if to_graph:
            inputs = [_read_input(text) for text in options.input]
            to_onnx(options.output, model, ps, st, inputs[0] if len(inputs) == 1 else tuple(inputs))
        elif options.output.endswith(".jld2"):
            save_flux_state(options.output, model, ps, st)
        else:
            saving.save(options.output, ps, st, model=model)
    except (FileFormatError, LayerError, OSError, ImportError, ValueError, TypeError) as error:
        print(f"luxport convert: {show(str(error), 500)}", file=sys.stderr)
        return 2
    return 0


def _read_input(text: str) -> InputSpec:
    """Parse the sizes of an input, and the dtype that may precede them.

    Raises: ValueError

    >>> _read_input("N,1,28,28"), _read_input("int32:N,T")
    (InputSpec(shape=('N', 1, 28, 28), dtype=None), InputSpec(shape=('N', 'T'), dtype='int32'))
    """
    dtype, colon, sizes = text.rpartition(":")
    check_dtype_name(dtype if colon else None)
    parts = [part.strip() for part in sizes.split(",")]
    if not all([part.isdecimal() or part.isidentifier() for part in parts]):
        raise ValueError(f"--input expects sizes, or names of free sizes, as in N,1,28,28, got {text!r}")
    if any([part.isdecimal() and int(part) == 0 for part in parts]):
        raise ValueError(f"--input expects sizes of at least 1, as in N,1,28,28, got {text!r}")
    return InputSpec(tuple([int(part) if part.isdecimal() else part for part in parts]), dtype if colon else None)


@contextmanager
def _print_warnings() -> Iterator[None]:
    """Print warnings as lines of the command, without Python's file names and line numbers."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        print(f"luxport convert: {show(str(warning.message))}", file=sys.stderr)


def _is_safetensors(path: str) -> bool:
    check_regular_file(path)
    with open(path, "rb") as file:
        return is_safetensors(file.read(9))


def _import_layer(place: str) -> Layer:
    """Return the layer for "module:name"; modules are searched for in the current folder as well.

    Raises: ValueError if there is no such layer
    """
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise ValueError(f"--model expects module:object, got {place!r}")
    sys.path.insert(0, os.getcwd())
    try:
        found = import_module(module)
    except Exception as error:  # importing the user's module can raise any exception
        raise ValueError(f"--model {place}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(os.getcwd())
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Layer):
        raise ValueError(f"--model expects a layer, and {place} is {type(found).__name__}")
    return found
