"""Cases of the recurrent layers: upstream asks for shapes and equalities, the numbers are a second computation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import (
    GRU,
    LSTM,
    RNN,
    BidirectionalRNN,
    GRUCell,
    GRUv3,
    GRUv3Cell,
    LSTMCell,
    Recurrence,
    RNNCell,
    StatefulRecurrentCell,
    tree,
)
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, computation, draw, fact, fails
from luxport_conformance.compare import Tolerance

RECURRENT = "flux:layers/recurrent.jl"
GPU = "flux:test_common/gpu_recurrent.jl"

# Sums of in + out products, three steps deep.
DEEP = Tolerance(reduction=3 * (2 + 3))
STEPS, BATCH, IN, OUT = 3, 2, 2, 3

FLUX: dict[str, Any] = {"use_recurrent_bias": False}
"""Flux's cells have one bias."""

CELLS: dict[str, Any] = {
    "rnn": RNNCell(IN, OUT, **FLUX),
    "lstm": LSTMCell(IN, OUT, **FLUX),
    "gru": GRUCell(IN, OUT, **FLUX),
    "gru_v3": GRUv3Cell(IN, OUT),
}
LAYERS: dict[str, Any] = {
    "rnn": RNN(IN, OUT, return_state=True),
    "lstm": LSTM(IN, OUT, return_state=True),
    "gru": GRU(IN, OUT, return_state=True),
    "gru_v3": GRUv3(IN, OUT, return_state=True),
}


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def reference(kind: str, ps: Any, x: Any, carry: Any) -> tuple[Any, ...]:
    """Return the next carry, its first part the output, with a matrix and a bias for each gate, as papers write it."""
    hidden = carry[0]
    out = ps["weight_hh"].shape[0]
    both = [np.zeros(ps["weight_ih"].shape[-1]) + ps.get(name, 0.0) for name in ("bias_ih", "bias_hh")]

    def gate(k: int, reset: Any = 1.0) -> Any:
        part = slice(k * out, (k + 1) * out)
        recurrent = hidden @ ps["weight_hh"][:, part] + both[1][part]
        return x @ ps["weight_ih"][:, part] + both[0][part] + reset * recurrent

    if kind == "rnn":
        return (np.tanh(gate(0)),)
    if kind == "lstm":
        memory = _sigmoid(gate(1)) * carry[1] + _sigmoid(gate(0)) * np.tanh(gate(2))
        return _sigmoid(gate(3)) * np.tanh(memory), memory
    reset, update = _sigmoid(gate(0)), _sigmoid(gate(1))
    if kind == "gru":
        new = np.tanh(gate(2, reset))
    else:
        new = np.tanh(gate(2, 0.0) + (reset * hidden) @ ps["weight_hn"])
    return (new + update * (hidden - new),)


def slopes(f: Callable[..., Any], *arguments: Any) -> Any:
    """Differentiate by complex steps: exact for what is analytic, without a difference of large numbers."""
    leaves = [np.asarray(leaf, np.complex128) for leaf in tree.leaves(arguments)]

    def slope(position: int, entry: tuple[int, ...]) -> float:
        moved = [leaf.copy() for leaf in leaves]
        moved[position][entry] += 1e-30j
        return f(*tree.unflatten(tree.structure(arguments), iter(moved))).imag / 1e-30

    found = [[slope(i, entry) for entry in np.ndindex(leaf.shape)] for i, leaf in enumerate(leaves)]
    shaped = [np.array(values).reshape(leaf.shape) for values, leaf in zip(found, leaves, strict=True)]
    return tree.unflatten(tree.structure(arguments), iter(shaped))


def sequence(kind: str, ps: Any, x: Any, carry: Any, counts: Any = None, *, reverse: bool = False) -> tuple[Any, Any]:
    """Run each sample (T, in) of a batch by itself over the steps that count: the outputs, and the last carry."""
    outputs, ends = np.zeros((*x.shape[:2], carry[0].shape[-1]), np.result_type(x, *tree.leaves(ps))), []
    for n, sample in enumerate(x):
        end = tuple([part[n] if part.ndim > 1 else part for part in carry])
        steps = [t for t in range(len(sample)) if counts is None or counts[n][t]]
        for t in reversed(steps) if reverse else steps:
            end = reference(kind, ps, sample[t], end)
            outputs[n, t] = end[0]
        ends.append(end)
    return outputs, tuple([np.stack(parts) for parts in zip(*ends, strict=True)])


def carries(kind: str, *shape: int) -> tuple[Any, ...]:
    """Draw a carry."""
    return tuple(draw(*shape, seed=20 + i) for i in range(2 if kind == "lstm" else 1))


def parameters(layer: Any, seed: int = 1) -> Any:
    """Draw parameters that differ from their initial values."""
    values = luxport.setup(seed, layer, backend="numpy")[0]
    return tree.map(lambda leaf: 0.6 * draw(*leaf.shape, seed=leaf.size), values)


def states(layer: Any) -> Any:
    """Make the states."""
    return luxport.setup(0, layer, backend="numpy")[1]


def _arrays(layer: Any, **options: Any) -> Callable[[], int]:
    return lambda: len(luxport.setup(0, type(layer)(3, 5, **options), backend="numpy")[0])


def _differentiated(f: Callable[..., Any], *arguments: Any) -> Any:
    return luxport.grad(f, tuple(range(len(arguments))))(*arguments)


def _two_biases(kind: str, cell: Any) -> Case:
    return computation(
        f"{kind}_cell.two_biases",
        ("torch: a bias for the input and one for the hidden state",),
        type(cell).__name__,
        lambda x, ps, st, carry: cell((x, carry), ps, st)[0][1],
        {
            "x": draw(BATCH, IN),
            "ps": _drawn_apart(cell),
            "st": luxport.setup(0, cell, backend="numpy")[1],
            "carry": carries(kind, BATCH, OUT),
        },
        expected=lambda x, ps, st, carry: reference(kind, ps, x, carry),
        tolerance=DEEP,
    )


def _drawn_apart(cell: Any) -> Any:
    """Draw parameters, of which two of one shape differ."""
    values = luxport.setup(0, cell, backend="numpy")[0]
    return {name: 0.6 * draw(*leaf.shape, seed=30 + i) for i, (name, leaf) in enumerate(values.items())}


def _steps(kind: str, *lines: int) -> Case:
    """One step from a carry, from none and from zeros; a vector for a carry serves each sample."""
    cell = CELLS[kind]

    def starts(x: Any, carry: Any, vector: Any) -> Any:
        zeros = tree.map(lambda leaf: 0.0 * leaf, carry)
        return (x, carry), (x, zeros), (x, vector), (x[0, ...], vector)

    def program(x: Any, ps: Any, st: Any, carry: Any, vector: Any) -> Any:
        results = [cell(start, ps, st)[0] for start in (*starts(x, carry, vector), x)]
        return tuple([{"y": y, "carry": carry} for y, carry in results])

    def expected(x: Any, ps: Any, st: Any, carry: Any, vector: Any) -> Any:
        given = starts(x, carry, vector)
        found = [reference(kind, ps, *start) for start in (*given, given[1])]
        return tuple([{"y": new[0], "carry": new} for new in found])

    return computation(
        f"{kind}_cell.steps",
        at(RECURRENT, *lines),
        type(cell).__name__,
        program,
        {
            "x": draw(BATCH, IN),
            "ps": parameters(cell),
            "st": states(cell),
            "carry": carries(kind, BATCH, OUT),
            "vector": carries(kind, OUT),
        },
        expected=expected,
        tolerance=DEEP,
    )


def _without_bias(ps: Any) -> Any:
    return {name: value for name, value in ps.items() if "bias" not in name}


def _cell_gradients(kind: str, *sources: str) -> Case:
    """Gradients of loops over steps as users write them, with all of Flux's ways to make a loss of the outputs.

    The carry to start from has a batch or is a vector, the inputs are batches or vectors, there is a bias or none.
    """
    cells = (CELLS[kind], type(CELLS[kind])(IN, OUT, use_bias=False))

    def loss(step: Any, mean: Any, x: Any, start: Any) -> Any:
        total, carry = 0.0, start
        for t in range(2):
            alone = step(x[t, ...], start)[0]
            carry = step(x[t, ...], carry)
            total = total + mean(carry[0] * carry[0]) + 0.7 * mean(carry[0]) + 0.3 * mean(alone)
        return total + mean(carry[0][..., 0])

    def losses(steps: Any, mean: Any, x: Any, batch: Any, vector: Any) -> Any:
        (biased, plain), alone = steps, x[:, 0, :]
        return (
            loss(biased, mean, x, batch)
            + loss(biased, mean, x, vector)
            + loss(biased, mean, alone, vector)
            + loss(plain, mean, alone, vector)
        )

    def program(ps: Any, x: Any, batch: Any, vector: Any, st: Any) -> Any:
        mean = luxport.namespace(x).mean

        def total(ps: Any, x: Any, batch: Any, vector: Any) -> Any:
            pairs = zip(cells, (ps, _without_bias(ps)), strict=True)
            steps = [lambda x, carry, cell=cell, ps=own: cell((x, carry), ps, st)[0][1] for cell, own in pairs]
            return losses(steps, mean, x, batch, vector)

        return _differentiated(total, ps, x, batch, vector)

    def expected(ps: Any, x: Any, batch: Any, vector: Any, st: Any) -> Any:
        def total(ps: Any, x: Any, batch: Any, vector: Any) -> Any:
            plain = _without_bias(ps)
            steps = [lambda x, carry, ps=each: reference(kind, ps, x, carry) for each in (ps, plain)]
            return losses(steps, np.mean, x, batch, vector)

        return slopes(total, ps, x, batch, vector)

    return computation(
        f"{kind}_cell.gradients",
        sources,
        type(cells[0]).__name__,
        program,
        {
            "ps": parameters(cells[0]),
            "x": draw(STEPS, BATCH, IN),
            "batch": carries(kind, BATCH, OUT),
            "vector": carries(kind, OUT),
            "st": states(cells[0]),
        },
        expected=expected,
        tolerance=Tolerance(reduction=100),
        dtypes=("float64",),
        differentiates=True,
        compiles=False,
    )


def _sequences(kind: str, *lines: int) -> Case:
    """A layer over sequences, with a batch and without, from a carry and from none, which is zeros; `Recurrence`."""
    layer = LAYERS[kind]
    rec = Recurrence(CELLS[kind], return_sequence=True, return_state=True)

    def program(x: Any, ps: Any, st: Any, vector: Any) -> Any:
        results = [layer(given, ps, st)[0] for given in ((x, vector), x, (x[0, ...], vector))]
        return (*results, rec((x, vector), ps, st)[0])

    def expected(x: Any, ps: Any, st: Any, vector: Any) -> Any:
        zeros = tree.map(np.zeros_like, vector)
        y, carry = sequence(kind, ps, x, vector)
        from_zeros = sequence(kind, ps, x, zeros)
        alone = y[0], tree.map(lambda leaf: leaf[0], carry)
        return (y, carry), from_zeros, alone, (y, carry)

    return computation(
        f"{kind}.sequences",
        at(RECURRENT, *lines),
        type(layer).__name__,
        program,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": parameters(layer),
            "st": states(layer),
            "vector": carries(kind, OUT),
        },
        expected=expected,
        tolerance=DEEP,
    )


def _sequence_gradients(kind: str, *sources: str) -> Case:
    """Gradients through a layer, with a batch and without, for a carry that is trained with it."""
    layer = LAYERS[kind]
    unbiased = type(layer)(IN, OUT, use_bias=False)

    def program(ps: Any, x: Any, vector: Any, st: Any) -> Any:
        mean = luxport.namespace(x).mean

        def total(ps: Any, x: Any, vector: Any) -> Any:
            y, last = layer((x, vector), ps, st)[0]
            alone, _ = layer((x[0, ...], vector), ps, st)[0]
            plain, _ = unbiased(x, _without_bias(ps), st)
            return mean(y * y) + mean(last[-1]) + mean(alone * alone) + mean(plain * plain)

        return _differentiated(total, ps, x, vector)

    def expected(ps: Any, x: Any, vector: Any, st: Any) -> Any:
        def total(ps: Any, x: Any, vector: Any) -> Any:
            no_bias = {name: value for name, value in ps.items() if "bias" not in name}
            y, last = sequence(kind, ps, x, vector)
            plain, _ = sequence(kind, no_bias, x, tree.map(np.zeros_like, vector))
            return np.mean(y * y) + np.mean(last[-1]) + np.mean(y[0] * y[0]) + np.mean(plain * plain)

        return slopes(total, ps, x, vector)

    return computation(
        f"{kind}.gradients",
        sources,
        type(layer).__name__,
        program,
        {
            "ps": parameters(layer),
            "x": draw(BATCH, STEPS, IN),
            "vector": carries(kind, OUT),
            "st": states(layer),
        },
        expected=expected,
        tolerance=Tolerance(reduction=100),
        dtypes=("float64",),
        differentiates=True,
        compiles=False,
    )


_FLAGS = np.array([[True, False, True], [False, True, False]])
_LENGTHS = np.array([2, 3])


def _wrappers(x: Any, ps: Any, flags: Any, lengths: Any, carry: Any) -> Any:
    cell = CELLS["gru"]
    st = states(cell)
    whole: dict[str, Any] = {"return_sequence": True, "masked": True}
    xp = luxport.namespace(x)
    time_first = xp.permute_dims(x, (1, 0, 2))

    def run(layer: Any, x: Any, ps: Any = ps, st: Any = st) -> Any:
        return layer(x, ps, st)[0]

    both = {"forward_rnn": ps, "backward_rnn": {"rnn": ps}}
    two = {"forward_rnn": st, "backward_rnn": {"rnn": st}}
    return {
        "last": run(Recurrence(cell), (x, carry)),
        "reversed": run(Recurrence(cell, reverse=True, return_sequence=True), (x, carry)),
        "reversed_last": run(Recurrence(cell, reverse=True), (x, carry)),
        "flags": run(Recurrence(cell, return_state=True, **whole), (x, flags, carry)),
        "flags_last": run(Recurrence(cell, masked=True), (x, flags, carry)),
        "lengths_reversed": run(Recurrence(cell, reverse=True, **whole), (x, lengths, carry)),
        "time_first": run(Recurrence(cell, time_major=True, return_sequence=True), (time_first, carry)),
        "list": run(Recurrence(cell, return_sequence=True), ([x[:, t, :] for t in range(STEPS)], carry)),
        "both": run(BidirectionalRNN(cell), (x, (carry, carry)), both, two),
        "both_lengths": run(BidirectionalRNN(cell, merge_mode=None, masked=True), (x, lengths), both, two),
        "sum": run(BidirectionalRNN(cell, merge_mode="sum", return_sequence=False), (x, (carry, carry)), both, two),
        "mul": run(BidirectionalRNN(cell, merge_mode="mul", return_sequence=False), (x, (carry, carry)), both, two),
        "ave": run(BidirectionalRNN(cell, merge_mode="ave", return_sequence=False), (x, (carry, carry)), both, two),
    }


def _wrapped(x: Any, ps: Any, flags: Any, lengths: Any, carry: Any) -> Any:
    def run(counts: Any = None, start: Any = carry, *, reverse: bool = False) -> Any:
        return sequence("gru", ps, x, start, counts, reverse=reverse)

    counts = np.arange(STEPS) < np.asarray(lengths)[:, None]
    zeros = tree.map(np.zeros_like, carry)
    (y, _), (back, _) = run(), run(reverse=True)
    last, first = y[:, -1], back[:, 0]
    flagged = run(flags)
    return {
        "last": last,
        "reversed": back,
        "reversed_last": first,
        "flags": flagged,
        "flags_last": flagged[1][0],
        "lengths_reversed": run(counts, reverse=True)[0],
        "time_first": np.swapaxes(y, 0, 1),
        "list": y,
        "both": np.concatenate([y, back], axis=-1),
        "both_lengths": (run(counts, zeros)[0], run(counts, zeros, reverse=True)[0]),
        "sum": last + first,
        "mul": last * first,
        "ave": (last + first) / 2,
    }


_BOTH_STATES = LSTM(IN, OUT, num_layers=2, return_state=True, use_recurrent_bias=True)


def _levels(x: Any, ps: Any, st: Any, carry: Any) -> Any:
    return _BOTH_STATES((x, carry), ps, st)[0]


def _levelled(x: Any, ps: Any, st: Any, carry: Any) -> Any:
    middle, first = sequence("lstm", ps["layer_1"], x, carry[0])
    y, second = sequence("lstm", ps["layer_2"], middle, carry[1])
    return y, (first, second)


def _remembered(x: Any, ps: Any, st: Any) -> Any:
    model = StatefulRecurrentCell(CELLS["lstm"])
    first, st = model(x, ps, st)
    second, st = model(x, ps, st)
    again, _ = model(x, ps, luxport.update_state(st, "carry", None))
    return {"first": first, "second": second, "again": again, "carry": st["carry"]}


def _remembers(x: Any, ps: Any, st: Any) -> Any:
    zeros = (np.zeros((BATCH, OUT)),) * 2
    first = reference("lstm", ps, x, zeros)
    second = reference("lstm", ps, x, first)
    return {"first": first[0], "second": second[0], "again": first[0], "carry": second}


_LEVELS = LSTM(IN, OUT, num_layers=2, return_state=True, use_recurrent_bias=True)

CASES: list[Case] = [
    fact("rnn_cell.arrays", at(RECURRENT, 36), "RNNCell", _arrays(CELLS["rnn"], **FLUX), 3),
    fact("rnn_cell.arrays_no_bias", at(RECURRENT, 67), "RNNCell", _arrays(CELLS["rnn"], use_bias=False), 2),
    fact("rnn_cell.arrays_two_biases", ("lux: RNNCell",), "RNNCell", _arrays(CELLS["rnn"]), 4),
    fact("lstm_cell.arrays", at(RECURRENT, 116), "LSTMCell", _arrays(CELLS["lstm"], **FLUX), 3),
    fact("lstm_cell.arrays_no_bias", at(RECURRENT, 143), "LSTMCell", _arrays(CELLS["lstm"], use_bias=False), 2),
    fact("gru_cell.arrays", at(RECURRENT, 201), "GRUCell", _arrays(CELLS["gru"], **FLUX), 3),
    fact("gru_cell.arrays_no_bias", at(RECURRENT, 228), "GRUCell", _arrays(CELLS["gru"], use_bias=False), 2),
    fact("gru.arrays_no_bias", at(RECURRENT, 259), "GRU", _arrays(LAYERS["gru"], use_bias=False), 2),
    fact("gru_v3_cell.arrays", at(RECURRENT, 275), "GRUv3Cell", _arrays(CELLS["gru_v3"]), 4),
    _two_biases("rnn", RNNCell(IN, OUT)),
    _two_biases("lstm", LSTMCell(IN, OUT)),
    _two_biases("gru", GRUCell(IN, OUT)),
    _steps("rnn", 48, 52, 53),
    _steps("lstm", 122, 123, 124, 125, 126, 132, 133, 138, 139),
    _steps("gru", 208, 212, 215),
    _steps("gru_v3", 281, 285, 288),
    _cell_gradients("rnn", *at(RECURRENT, 42, 43, 44, 45, 57, 62, 68), *at(GPU, 18, 22)),
    _cell_gradients("lstm", *at(RECURRENT, 127, 128), *at(GPU, 54, 58)),
    _cell_gradients("gru", *at(RECURRENT, 209, 219, 224), *at(GPU, 89, 92)),
    _cell_gradients("gru_v3", *at(RECURRENT, 282, 292, 297), *at(GPU, 122, 125)),
    _sequences("rnn", *(85, 86, 91, 94, 98, 99, 106, 107, 109, 110), *(341, 348, 350)),
    _sequences("lstm", *(161, 162, 167, 168, 174, 175, 179, 180, 184, 190, 191, 193, 194, 195, 196), *(352, 353)),
    _sequences("gru", *(245, 246, 252, 255, 266, 267, 269, 270)),
    _sequences("gru_v3", *(314, 315, 320, 323, 329, 330, 332, 333)),
    _sequence_gradients("rnn", *at(RECURRENT, 87, 100), *at(GPU, 40, 43)),
    _sequence_gradients("lstm", *at(RECURRENT, 163, 169), *at(GPU, 77, 80)),
    _sequence_gradients("gru", *at(RECURRENT, 247, 260), *at(GPU, 110, 113)),
    _sequence_gradients("gru_v3", *at(RECURRENT, 316), *at(GPU, 143, 146)),
    computation(
        "recurrence.orders_masks_and_directions",
        ("definition: each sample by itself, over the steps that count",),
        "Recurrence",
        _wrappers,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": parameters(CELLS["gru"]),
            "flags": _FLAGS,
            "lengths": _LENGTHS,
            "carry": carries("gru", BATCH, OUT),
        },
        expected=_wrapped,
        tolerance=DEEP,
        compiles=False,  # it builds layers and states, which PyTorch's compiler cannot follow
    ),
    computation(
        "lstm.levels",
        ("torch: nn.LSTM(num_layers=2)",),
        "LSTM",
        _levels,
        {
            "x": draw(BATCH, STEPS, IN),
            "ps": parameters(_LEVELS),
            "st": states(_LEVELS),
            "carry": (carries("lstm", BATCH, OUT), carries("lstm", BATCH, OUT)),
        },
        expected=_levelled,
        tolerance=Tolerance(reduction=60),
    ),
    computation(
        "stateful_recurrent_cell.remembers",
        ("lux: StatefulRecurrentCell, update_state(st, :carry, nothing)",),
        "StatefulRecurrentCell",
        _remembered,
        {
            "x": draw(BATCH, IN),
            "ps": parameters(CELLS["lstm"]),
            "st": states(StatefulRecurrentCell(CELLS["lstm"])),
        },
        expected=_remembers,
        tolerance=DEEP,
    ),
    fails(
        "rnn_cell.wrong_input",
        ("definition: the last axis is in_dims",),
        CELLS["rnn"],
        draw(BATCH, 7),
        message=r"RNNCell expects \(..., 2\), got \(2, 7\)",
    ),
]
