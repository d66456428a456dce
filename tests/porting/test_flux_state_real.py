"""A file of `save_flux_state` beside one of Flux's own."""

import real_files
from test_flux_state import to_lists

import luxport
from luxport.porting import load_parameters, read, save_flux_state
from luxport.porting.files.jld2.headers import read_header
from luxport.porting.files.jld2.superblock import read_superblock
from luxport.porting.files.jld2.values import Values
from luxport.porting.files.jld2.writer import write
from luxport.porting.files.source import Source

FLUX = real_files.folder("flux")


def test_a_state_of_flux_is_written_in_the_same_form(tmp_path):
    """Load it into a model and save it again: the file has the structure and the types that JLD2.jl gave it."""
    model = luxport.Chain(
        luxport.Conv((2, 2), 1, 16, luxport.relu), luxport.MaxPool((2, 2)), luxport.Conv((2, 2), 16, 8, luxport.relu),
        luxport.MaxPool((2, 2)), luxport.FlattenLayer(), luxport.Dense(288, 10), luxport.ops.softmax,
    )  # fmt: skip
    path, original = tmp_path / "model.jld2", FLUX / "course_mnist.jld2"
    ps, st = load_parameters(original, model, backend="numpy")
    save_flux_state(path, model, ps, st)
    # Flux 0.14, which wrote the file, treated a pool as a function; 0.16 writes its fields.
    pool = [("k", (2, 2)), ("pad", (0, 0, 0, 0)), ("stride", (2, 2))]
    (layers,) = [value for _, value in to_lists(read(original).values["model_state"])]
    wanted = tuple(pool if i in (1, 3) else layer for i, layer in enumerate(layers))
    assert to_lists(read(path).values["model_state"]) == [("layers", wanted)]
    with open(path, "wb") as file:
        write(file, read(original).values)
    assert to_lists(read(path).values["model_state"]) == [("layers", layers)]
    assert list_committed_types(path) == list_committed_types(original)


def list_committed_types(path):
    """Return a file's types and how their values are stored, as text."""
    file = read_superblock(Source(path.read_bytes()), 512)
    types = Values(file)._types
    links = read_header(file, read_header(file, file.root).links["_types"]).links
    found = [types[address] for address in links.values()]
    names = {one.address: str(one.type) for one in found}
    return {
        (str(one.type), str(one.datatype), one.empty, str({k: names.get(v) for k, v in (one.fields or {}).items()}))
        for one in found
    }
