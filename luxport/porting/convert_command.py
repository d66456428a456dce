"""The command ``luxport convert``: from Julia's files to ONNX and safetensors, and back to Julia."""

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
    """Convert a file: status 0, or 2 for a wrong argument, a file that cannot be read, or one that does not fit."""
    parser = Arguments(
        prog="luxport convert",
        description="Write what a BSON.jl or JLD2 file holds as safetensors, for Flux.loadmodel! as JLD2, or as ONNX.",
    )
    parser.add_argument("file", help="a file of a whole Flux model, or of parameters for --model, also safetensors")
    parser.add_argument("output", help="the safetensors file to write; for Julia a .jld2, a whole model an .onnx")
    parser.add_argument("--model", metavar="MODULE:OBJECT", help="the luxport model that the parameters are for")
    parser.add_argument("--name", help="the entry of the file, if it holds several; dotted if it is inside another")
    parser.add_argument(
        "--flux", metavar="VERSION", help="the Flux that wrote the file, 0.6, where the file does not say"
    )
    parser.add_argument(
        "--input",
        metavar="SIZES",
        action="append",
        help="for ONNX the shape of an input, free sizes by name: N,1,28,28, or int32:N,T; once for each",
    )
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stopped:  # argparse has said why
        return int(stopped.code or 0)
    to_graph = options.output.endswith(".onnx")
    try:
        if to_graph != bool(options.input):
            raise ValueError("--input and an output whose name ends in .onnx belong together: --input N,1,28,28")
        check_different_files(options.file, options.output)
        if not to_graph and not options.output.endswith(".jld2"):
            check_file_suffix("it", options.output, ".safetensors", ", .jld2 or .onnx")
        if options.model is None:
            with _tell_doubts():
                model, ps, st = load_model(options.file, name=options.name, flux=options.flux, backend="numpy")
        else:
            model = _import_layer(options.model)
            if _is_safetensors(options.file):
                if options.name is not None or options.flux is not None:
                    raise ValueError("--name and --flux are about a file of Julia's: a safetensors file is one whole")
                ps, st = saving.load(options.file, model=model, backend="numpy")
            else:
                chosen = {"name": options.name, "flux": options.flux}
                with _tell_doubts():
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
    """Read the sizes of an input, and its dtype if that stands before them.

    Raises: ValueError

    >>> _read_input("N,1,28,28"), _read_input("int32:N,T")
    (InputSpec(shape=('N', 1, 28, 28), dtype=None), InputSpec(shape=('N', 'T'), dtype='int32'))
    """
    dtype, colon, sizes = text.rpartition(":")
    check_dtype_name(dtype if colon else None)
    parts = [part.strip() for part in sizes.split(",")]
    if not all([part.isdecimal() or part.isidentifier() for part in parts]):
        raise ValueError(f"--input expects sizes and names of free ones, N,1,28,28, got {text!r}")
    if any([part.isdecimal() and int(part) == 0 for part in parts]):
        raise ValueError(f"--input expects sizes of at least 1, N,1,28,28, got {text!r}")
    return InputSpec(tuple([int(part) if part.isdecimal() else part for part in parts]), dtype if colon else None)


@contextmanager
def _tell_doubts() -> Iterator[None]:
    """Print the warnings of a reader as the command's own lines."""
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        yield
    for doubt in doubts:
        print(f"luxport convert: {show(str(doubt.message))}", file=sys.stderr)


def _is_safetensors(path: str) -> bool:
    check_regular_file(path)
    with open(path, "rb") as file:
        return is_safetensors(file.read(9))


def _import_layer(place: str) -> Layer:
    """Return a layer by its module and its name in it; modules are looked for in the current folder too.

    Raises: ValueError if there is no such layer
    """
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise ValueError(f"--model expects module:object, got {place!r}")
    sys.path.insert(0, os.getcwd())
    try:
        found = import_module(module)
    except Exception as error:  # the module is the user's, and can raise anything
        raise ValueError(f"--model {place}: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(os.getcwd())
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, Layer):
        raise ValueError(f"--model expects a layer, and {place} is {type(found).__name__}")
    return found
