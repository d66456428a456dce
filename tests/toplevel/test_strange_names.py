"""Messages of luxport contain no control characters of terminals, whatever names they quote."""

# Wrong types are tried on purpose.
# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportAttributeAccessIssue=false

import contextlib
import io
import itertools
import os
import warnings
from typing import Any

import numpy as np
import pytest

import luxport
from luxport import optimizers, porting, training, tree
from luxport.cli import main

NAMES = ("a\x1b[31mb\u202ec\x07d\x9b2Je", "one\ntwo\u2028d\x00e")
WEIGHT = np.ones((2, 3), np.float32)


class Strange:
    """An object with an arbitrary repr."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return self.name


def list_calls(name: str, folder: Any) -> Any:
    """Yield calls that fail because of a name, or with the name in the message."""
    dense = luxport.Dense(3, 2)
    kind = type("Layer", (luxport.Layer,), {"__call__": lambda self, x, ps, st: 1 / 0, "__annotations__": {}})
    plain = name.replace("\0", "")
    kind.__name__ = plain
    for model in (luxport.Chain(**{name: dense}), luxport.Parallel(None, **{name: dense}), luxport.Chain(kind())):
        ps, st = luxport.setup(0, model)
        yield lambda m=model, ps=ps, st=st: m(np.ones((2, 5), np.float32), ps, st)
        yield lambda m=model, st=st: m(WEIGHT, {}, st)
        yield lambda m=model, ps=ps: m(WEIGHT, ps, {name: {name: 1}})
        yield lambda m=model, ps=ps, st=st: m(WEIGHT, {name: ps}, st)
        yield lambda m=model, ps=ps, st=st: m(WEIGHT, {name: {name: WEIGHT}}, st)
        yield lambda m=model, ps=ps, st=st: luxport.freeze(m, ps, st, name)
        yield lambda m=model: m[name]
        yield lambda m=model: getattr(m, name)
        yield lambda m=model: luxport.summary(m, (2, 5))
        yield lambda m=model: luxport.output_shape(m, (2, 5))
        yield lambda m=model, ps=ps, st=st: luxport.to_onnx(None, m, ps, st, ("N", 7))
        yield lambda m=model, ps=ps, st=st: luxport.layer_map(lambda *_: 1 / 0, m, ps, st)
        yield lambda m=model, ps=ps: luxport.tie(m, ps, {}, [[(name,), (name, "b")]])
    ps, st = luxport.setup(0, dense)
    yield lambda: dense(WEIGHT, {**ps, name: WEIGHT}, st)
    yield lambda: dense(WEIGHT, {"weight": WEIGHT, name: WEIGHT}, st)
    yield lambda: dense(WEIGHT, {"weight": name, "bias": name}, st)
    yield lambda: dense(**{name: 1})
    yield lambda: luxport.Dense(3, 2, **{name: 1})
    yield lambda: luxport.Dense(3, name)  # type: ignore[arg-type]
    yield lambda: luxport.Dense(3, 2, name)  # type: ignore[arg-type]
    for wrong in (name, Strange(name), {name: 1}, [name], (Strange(name),), type(plain, (), {}), type(plain, (), {})()):
        for function in (luxport.setup, luxport.to, luxport.parameter_length, luxport.flatten, luxport.test_mode,
                         luxport.asarray, luxport.jit, luxport.grad, luxport.rng, luxport.save,
                         luxport.load, luxport.relu, luxport.ops.softmax, luxport.Chain, luxport.Conv, luxport.Parallel,
                         luxport.Recurrence, luxport.LSTM, luxport.Embedding, luxport.MeanPool, luxport.set_backend,
                         luxport.from_torch, luxport.from_keras, optimizers.Adam, optimizers.OptimizerChain,
                         luxport.Scale):  # fmt: skip
            yield lambda f=function, w=wrong: f(w)
            yield lambda f=function, w=wrong: f(w, w)
            yield lambda f=function, w=wrong: f(WEIGHT, w)
            yield lambda f=function, w=wrong: f(**{name: w})
        yield lambda w=wrong: luxport.setup(0, w)
        yield lambda w=wrong: luxport.setup(0, dense, backend=w)
        yield lambda w=wrong: luxport.setup(0, dense, device=w)
        yield lambda w=wrong: luxport.setup(0, dense, dtype=w)
        yield lambda w=wrong: luxport.to(ps, dtype=w)
        yield lambda w=wrong: luxport.to(ps, backend=w)
        yield lambda w=wrong: luxport.asarray(w, dtype=name)
        yield lambda w=wrong: luxport.update_state(w, name, 1)
        yield lambda w=wrong: luxport.losses.mse(WEIGHT, w)
        yield lambda w=wrong: luxport.losses.mse(WEIGHT, WEIGHT, reduction=w)
        yield lambda w=wrong: luxport.ops.conv(WEIGHT, w, stride=w)
        yield lambda w=wrong: tree.map(lambda a, b: a + b, {name: WEIGHT}, {"other": w})
        yield lambda w=wrong: tree.unflatten(tree.structure({name: 1}), [w, w])
        yield lambda w=wrong: optimizers.adjust(optimizers.setup(optimizers.Adam(), ps), **{name: 0.1})
        yield lambda w=wrong: optimizers.update(optimizers.setup(optimizers.Adam(), ps), {name: w}, ps)
        yield lambda w=wrong: optimizers.setup(w, {name: w})
        yield lambda w=wrong: training.TrainState.create(w, w)
        yield lambda w=wrong: luxport.compact(weight=WEIGHT, f=w)
    path = os.path.join(folder, name.replace("/", "").replace("\0", "") + ".bson")
    with contextlib.suppress(OSError, ValueError), open(path, "wb") as file:
        file.write(b"not this")
    for one in (path, f"{path}-none", name, os.path.join(folder, name, "x"), folder):
        for function in (luxport.load, porting.read, porting.load_model, lambda p: porting.load_parameters(p, dense),
                         porting.petab.load_model, lambda p: luxport.save(p, {name: object()}),
                         lambda p: luxport.save(os.path.join(p, "x"), ps), lambda p: training.restore(p, None),
                         lambda p: training.restore(p, training.TrainState.create(dense, optimizers.Adam())),
                         lambda p: luxport.to_onnx(os.path.join(p, "x"), dense, ps, st, (name, 3))):  # fmt: skip
            yield lambda f=function, p=one: f(p)
    saved = os.path.join(folder, "saved")
    luxport.save(saved, {name: {name: WEIGHT}})
    yield lambda: luxport.load(saved, model=dense)
    yield lambda: luxport.load(saved, model=luxport.Chain(**{name: dense}))
    yield lambda: luxport.save(saved, {name: {name: object()}})
    yield lambda: luxport.save(saved, {name: {f"{name}.": Strange(name)}})


def list_messages(error: BaseException | None) -> list[str]:
    """Return all texts of a traceback that luxport wrote: the error, its notes and its causes."""
    found = [str(error), *getattr(error, "__notes__", [])]
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
        found += str(error).split("\n")  # other libraries' messages may have several lines
    return found


@pytest.mark.parametrize("name", NAMES)
def test_messages_quote_names_without_control_characters(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raised, bad = 0, []
    for i, call in enumerate(list_calls(name, str(tmp_path))):
        with warnings.catch_warnings(record=True) as doubts:
            warnings.simplefilter("always")
            try:
                call()
            except Exception as error:
                raised += 1
                bad += [(i, type(error).__name__, text) for text in list_messages(error) if not text.isprintable()]
        bad += [(i, "warning", str(doubt.message)) for doubt in doubts if not str(doubt.message).isprintable()]
    assert not bad, f"{len(bad)} of {raised}: {bad[:40]}"
    assert raised > 300


COMMANDS = (
    ["inspect", "?"], ["convert", "?", "out"], ["convert", "?", "?"], ["port", "?"], ["port", "?", "-o", "?/?"],
    ["?"], ["--?"], ["convert", "?", "x", "--model", "?:?"], ["convert", "?", "x", "--model", "luxport:?"],
    ["convert", "?", "x.onnx", "--input", "?"], ["port", "?", "--flux", "?"], ["inspect", "?", "?", "--?"],
    ["conformance", "--backend", "?"], ["conformance", "--backend", "?:?"], ["conformance", "--peer", "?"],
    ["conformance", "?"], ["inspect", "--?=1"], ["convert", "?", "x", "--name", "?"],
)  # fmt: skip


def test_commands_print_names_without_control_characters(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, command in itertools.product(NAMES, COMMANDS):
        with contextlib.suppress(OSError, ValueError), open(name, "w") as file:
            file.write(f'f(x) = weird(x)\nm = Chain(Dense(1 => 2), strange("{name}"))\n# {name}\n')
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:
            main([part.replace("?", name) for part in command])
        printed = out.getvalue() + capsys.readouterr().err
        assert all(line.isprintable() for line in printed.split("\n")), (command, printed)
