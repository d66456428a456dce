"""Wrong calls of public functions other than operations: of models, trees, transforms, training, rules, schedules.

Each argument of a right call is replaced by values that it cannot be.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from judging import WRONG_ARGUMENTS, Call, label

import luxport
from luxport import devices, distributed, initializers, optimizers, porting, random, schedules, training
from luxport.porting import petab

__all__ = ["SCHEDULES", "list_calls"]

Right = tuple[Callable[..., Any], dict[str, Any]]

WRONG: tuple[Any, ...] = (*WRONG_ARGUMENTS, 2**62, -7, float("inf"), 1j, {"x": 1}, [None], ("x", ("y",)), "a.b", type)


def list_calls(backend: str) -> Iterator[Call]:
    """Yield every wrong call; some values are right for some functions, and some calls write files here."""
    for name, (function, given) in _list_right_calls(backend).items():
        if not str(getattr(function, "__module__", "")).startswith("wrong_"):  # otherwise it calls a function's result
            yield f"{name}()", _bind(function, {})
            yield f"{name}: misspelled", _bind(function, {**given, "misspelled": 1})
            yield f"{name}: ten arguments", lambda function=function: function(*range(10))
        required = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        for missing in given:
            if missing in required and not str(getattr(function, "__module__", "")).startswith("wrong_"):
                yield f"{name}: without {missing}", _bind(function, {k: v for k, v in given.items() if k != missing})
        for argument in given:
            for value in WRONG:
                if callable(given[argument]) and callable(value) and not isinstance(value, luxport.Layer):
                    continue  # a user's function raises its own error
                yield f"{name}({argument}={label(value)})", _bind(function, {**given, argument: value})


def _bind(function: Callable[..., Any], given: dict[str, Any]) -> Callable[[], Any]:
    """Return a call that passes leading arguments by position, as most users do."""

    def call() -> Any:
        parameters = inspect.signature(function).parameters
        rest = dict(given)
        placed = []
        for parameter in parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL and parameter.name in rest:
                several = rest.pop(parameter.name)
                placed.extend(several if isinstance(several, (tuple, list)) else (several,))
            elif parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD) or parameter.name not in rest:
                break
            else:
                placed.append(rest.pop(parameter.name))
        result = function(*placed, **rest)
        if inspect.isgenerator(result):
            list(result)
        return result

    return call


def _square(x: Any) -> Any:
    return luxport.namespace(x).sum(x * x)


def _list_right_calls(backend: str) -> dict[str, Right]:
    """Return a right call of each function by its name: the function, and its arguments by name."""
    model = luxport.Chain(luxport.Dense(3, 4, luxport.relu), luxport.BatchNorm(4), luxport.Dense(4, 2))
    ps, st = luxport.setup(0, model, backend=backend)
    x = luxport.asarray(np.ones((5, 3), np.float32), backend=backend)
    y = luxport.asarray(np.ones((5, 2), np.float32), backend=backend)
    adam = optimizers.Adam()
    opt = optimizers.setup(adam, ps)
    state = training.TrainState.create(model, adam, backend=backend)
    tied = luxport.tie(luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2)), {}, {}, [("layer_1", "layer_2")])[0]
    mse = luxport.losses.MSELoss()
    of_model = {"model": model, "ps": ps, "st": st}
    key = random.key(0, backend=backend)
    rng = luxport.rng(0)
    differentiated = {"f": _square, "x": x, "argnums": 0}
    found: dict[str, Right] = {
        "Rng": (luxport.Rng, {"seed": 0}),
        "rng": (luxport.rng, {"seed": 0}),
        "InputSpec": (luxport.InputSpec, {"shape": ("N", 3), "dtype": "float32"}),
        "NamedLayers": (luxport.NamedLayers, {"layers": {"a": model}}),
        "Static": (luxport.Static, {"value": 1}),
        "StatefulLayer": (lambda model, ps, st: luxport.StatefulLayer(model, ps, st)(x), of_model),
        "apply": (luxport.apply, {"model": model, "x": x, "ps": ps, "st": st}),
        "asarray": (luxport.asarray, {"values": [1.0], "backend": backend, "device": "cpu", "dtype": "float32"}),
        "backend_of": (luxport.backend_of, {"array": x}),
        "namespace": (luxport.namespace, {"arrays": (x,)}),
        "get_backend": (luxport.get_backend, {"name": backend}),
        "using": (lambda name: luxport.using(name).__enter__(), {"name": backend}),
        "set_backend": (lambda name: (luxport.set_backend(name), luxport.set_backend(None)), {"name": backend}),
        "debug": (luxport.debug, {"model": model, "check": "both", "infinities": False}),
        "display": (luxport.display, {"model": model}),
        "bf16": (luxport.bf16, {"values": ps}),
        "f32": (luxport.f32, {"values": ps}),
        "flatten": (luxport.flatten, {"ps": ps, "like": ps}),
        "FlatParameters.of": (luxport.FlatParameters.of, {"ps": ps}),
        "freeze": (luxport.freeze, {"model": model, "ps": ps, "st": st, "which": ["layer_1.weight"]}),
        "unfreeze": (luxport.unfreeze, {"model": luxport.freeze(model), "ps": ps, "st": st}),
        "initial_parameters": (luxport.initial_parameters, {"rng": 0, "layers": model}),
        "initial_states": (luxport.initial_states, {"rng": 0, "layers": model}),
        "intermediate_outputs": (luxport.intermediate_outputs, {"model": model, "x": x, "ps": ps, "st": st}),
        "layer_map": (luxport.layer_map, {"f": lambda layer, ps, st, name: (layer, ps, st), "model": model,
                                          "ps": ps, "st": st}),
        "modules": (luxport.modules, {"model": model}),
        "named_modules": (luxport.named_modules, {"model": model}),
        "non_trainable": (luxport.non_trainable, {"init": initializers.ones, "shape": (2,)}),
        "parameter": (luxport.parameter, {"init": initializers.ones, "shape": (2,)}),
        "output_shape": (luxport.output_shape, {"model": model, "input_shape": (5, 3), "dtype": "float32"}),
        "parameter_length": (luxport.parameter_length, {"model": ps}),
        "state_length": (luxport.state_length, {"model": st}),
        "remove_weight_norm": (luxport.remove_weight_norm, of_model),
        "remove_spectral_norm": (luxport.remove_spectral_norm, of_model),
        "save": (luxport.save, {"path": "a.safetensors", "ps": ps, "st": st, "model": model, "optimizer": opt}),
        "load": (luxport.load, {"path": "a.safetensors", "model": model, "backend": backend, "dtype": "float32",
                                "classes": (), "optimizer": False}),
        "setup": (luxport.setup, {"rng": 0, "model": model, "backend": backend, "device": "cpu", "dtype": "float32"}),
        "share_parameters": (luxport.share_parameters, {"ps": ps, "groups": [("layer_1.bias", "layer_2.scale")]}),
        "stateless_apply": (luxport.stateless_apply, {"model": luxport.Dense(3, 4), "x": x, "ps": ps["layer_1"]}),
        "summary": (luxport.summary, {"model": model, "x": (5, 3), "dtype": "float32"}),
        "test_mode": (luxport.test_mode, {"st": st}),
        "train_mode": (luxport.train_mode, {"st": st}),
        "tie": (luxport.tie, {"model": model, "ps": ps, "st": st, "groups": [("layer_1.bias", "layer_2.scale")]}),
        "untie": (luxport.untie, {"model": tied, "ps": {}, "st": {}}),
        "to": (luxport.to, {"values": ps, "backend": backend, "device": "cpu", "dtype": "float32", "share": False}),
        "to_numpy": (luxport.to_numpy, {"values": ps}),
        "trainables": (luxport.trainables, {"ps": ps, "path": False}),
        "update_state": (luxport.update_state, {"st": st, "name": "training", "value": luxport.Static(True)}),
        "grad": (lambda f, x, argnums: luxport.grad(f, argnums)(x), differentiated),
        "value_and_grad": (lambda f, x, argnums: luxport.value_and_grad(f, argnums)(x), differentiated),
        "jacobian": (lambda f, x, argnums: luxport.jacobian(f, argnums)(x), differentiated),
        "hessian": (lambda f, x, argnums: luxport.hessian(f, argnums)(x), differentiated),
        "batched_jacobian": (lambda f, x, argnums: luxport.batched_jacobian(f, argnums)(x),
                             {**differentiated, "f": lambda x: x * x}),
        "jvp": (luxport.jvp, {"f": _square, "primals": (x,), "tangents": (x,)}),
        "vjp": (luxport.vjp, {"f": _square, "primals": (x,)}),
        "jit": (lambda f, x, donate: luxport.jit(f, donate=donate)(x), {"f": _square, "x": x, "donate": ()}),
        "checkpoint": (lambda f, x: luxport.checkpoint(f)(x), {"f": _square, "x": x}),
        "custom_vjp": (lambda f, forward, backward: luxport.custom_vjp(f, forward=forward, backward=backward)(x),
                       {"f": _square, "forward": lambda x: (_square(x), x), "backward": lambda x, g: (g * x,)}),
        "scan": (luxport.scan, {"f": lambda carry, x: (carry, x), "init": x[0], "xs": x, "length": 5,
                                "reverse": False}),
        "devices.get_device": (devices.get_device, {"values": ps}),
        "devices.cpu_device": (devices.cpu_device, {"backend": backend}),
        "devices.list_devices": (devices.list_devices, {"backend": backend}),
        "devices.Device": (devices.Device, {"name": "cpu", "backend": backend}),
        "random.key": (random.key, {"seed": 0, "backend": backend, "device": "cpu"}),
        "random.fold_in": (random.fold_in, {"key": key, "data": 1}),
        "random.split": (random.split, {"key": key, "count": 2}),
        "random.normal": (random.normal, {"key": key, "shape": (2,), "mean": 0.0, "std": 1.0}),
        "random.uniform": (random.uniform, {"key": key, "shape": (2,), "low": 0.0, "high": 1.0}),
        "calculate_gain": (initializers.calculate_gain, {"activation": luxport.relu, "slope": 0.1}),
        "fans": (initializers.fans, {"shape": (3, 4)}),
        **{f"initializers.{name}": (getattr(initializers, name), {"rng": rng, "shape": (3, 4)})
           for name in ("glorot_uniform", "identity_init", "orthogonal", "ones")},
        "initializers.constant": (lambda value, rng, shape: initializers.constant(value)(rng, shape),
                                  {"value": 1.0, "rng": rng, "shape": (3,)}),
        "optimizers.setup": (optimizers.setup, {"rule": adam, "ps": ps}),
        "optimizers.update": (optimizers.update, {"state": opt, "ps": ps, "grads": ps}),
        "optimizers.adjust": (optimizers.adjust, {"state": opt, "eta": 0.1, "at": "layer_1"}),
        "optimizers.freeze": (optimizers.freeze, {"state": opt, "at": "layer_1"}),
        "optimizers.thaw": (optimizers.thaw, {"state": opt, "at": "layer_1"}),
        "optimizers.current_rule": (optimizers.current_rule, {"state": opt, "at": "layer_1"}),
        "optimizers.global_norm": (optimizers.global_norm, {"grads": ps}),
        "optimizers.clip_by_global_norm": (optimizers.clip_by_global_norm, {"grads": ps, "largest": 1.0}),
        "optimizers.Adam": (optimizers.Adam, {"eta": 0.1, "beta": (0.9, 0.99), "epsilon": 1e-8}),
        "optimizers.ClipNorm": (optimizers.ClipNorm, {"omega": 1.0, "p": 2.0, "throw": True}),
        "optimizers.AccumGrad": (optimizers.AccumGrad, {"n": 2}),
        "optimizers.MixedPrecision": (optimizers.MixedPrecision, {"rule": adam, "dtype": "float32"}),
        "optimizers.OptimizerChain": (optimizers.OptimizerChain, {"rules": (adam, optimizers.Descent(0.1))}),
        "optimizers.Scheduler": (lambda rule, eta: optimizers.Scheduler(rule, eta=eta),
                                 {"rule": adam, "eta": schedules.Exp(0.1, 0.9)}),
        **{f"schedules.{kind.__name__}": (_build_and_call(kind), {**given, "t": 1}) for kind, given in SCHEDULES},
        "TrainState.create": (training.TrainState.create, {"model": model, "optimizer": adam, "rng": 0,
                                                           "backend": backend, "device": "cpu", "dtype": "float32",
                                                           "ps": ps, "st": st, "precision": None, "scaling": None}),
        "train_step": (lambda **given: training.train_step(**given),
                       {"objective": mse, "data": (x, y), "state": state, "jit": False, "accumulate": 1}),
        "compute_gradients": (training.compute_gradients, {"objective": mse, "data": (x, y), "state": state}),
        "apply_gradients": (training.apply_gradients, {"state": state, "grads": state.ps}),
        "fit": (training.fit, {"objective": mse, "state": state, "data": (x, y), "epochs": 1, "batch_size": 5}),
        "evaluate": (training.evaluate, {"objective": mse, "state": state, "data": (x, y), "batch_size": 5}),
        "DataLoader": (lambda **given: list(training.DataLoader(**given)),
                       {"data": (x, y), "batch_size": 2, "shuffle": True, "partial": True, "seed": 0}),
        "EarlyStopping": (training.EarlyStopping, {"monitor": "loss", "patience": 2, "largest": False}),
        "BestCheckpoint": (training.BestCheckpoint, {"folder": "best", "monitor": "loss", "largest": False}),
        "CSVLog": (training.CSVLog, {"path": "log.csv"}),
        "JSONLog": (training.JSONLog, {"path": "log.json"}),
        "MovingAverage": (training.MovingAverage, {"decay": 0.9, "warm_up": True}),
        "DynamicLossScale": (training.DynamicLossScale, {"initial": 2.0, "growth": 2.0, "backoff": 0.5, "interval": 2}),
        "all_finite": (training.all_finite, {"values": ps}),
        "batch": (training.batch, {"samples": [x, x]}),
        "unbatch": (training.unbatch, {"batch": x}),
        "select": (training.select, {"condition": x[0, 0] > 0, "new": ps, "old": ps}),
        "early_stopping": (lambda f, delay: training.early_stopping(f, delay)(), {"f": lambda: 1.0, "delay": 2}),
        "plateau": (lambda f, width: training.plateau(f, width)(), {"f": lambda: 1.0, "width": 2}),
        "patience": (lambda predicate, wait: training.patience(predicate, wait)(), {"predicate": bool, "wait": 2}),
        "throttle": (lambda f, timeout: training.throttle(f, timeout)(), {"f": lambda: 1.0, "timeout": 1}),
        "save_checkpoint": (training.save_checkpoint, {"folder": "checkpoints", "state": state, "keep": 2}),
        "restore": (training.restore, {"folder": "checkpoints", "state": state}),
        "distributed.allreduce": (distributed.allreduce, {"values": x, "op": "mean"}),
        "distributed.bcast": (distributed.bcast, {"values": x, "root": 0}),
        "distributed.data_parallel": (distributed.data_parallel, {"state": state, "sync_batch_norm": False}),
        "porting.read": (porting.read, {"file": b"", "allow_unavailable": False}),
        "porting.load_model": (porting.load_model, {"path": "a.bson", "name": "m", "flux": "0.14", "backend": backend}),
        "porting.load_parameters": (porting.load_parameters, {"path": "a.bson", "model": model, "name": "m"}),
        "porting.save_flux_state": (porting.save_flux_state, {"path": "a.jld2", **of_model, "name": "model_state"}),
        "petab.load_array": (petab.load_array, {"path": "a.h5"}),
        "petab.load_model": (petab.load_model, {"path": "a.yaml"}),
        "from_torch": (luxport.from_torch, {"module": object(), "rng": 0, "backend": backend}),
        "to_torch": (luxport.to_torch, of_model),
        "to_onnx": (luxport.to_onnx, {"path": None, **of_model, "inputs": ("N", 3)}),
    }  # fmt: skip
    return found


def _build_and_call(kind: Any) -> Callable[..., Any]:
    def call(t: Any = 1, **given: Any) -> Any:
        return kind(**given)(t)

    return call


SCHEDULES: tuple[tuple[Any, dict[str, Any]], ...] = (
    (schedules.Constant, {"value": 0.1}),
    (schedules.CosAnneal, {"l0": 0.1, "l1": 0.01, "period": 4, "restart": True}),
    (schedules.Exp, {"start": 0.1, "decay": 0.9}),
    (schedules.Step, {"start": 0.1, "decay": 0.9, "step_sizes": (2, 3)}),
    (schedules.Sequence, {"schedules": (schedules.Exp(0.1, 0.9), 0.1), "step_sizes": (2, 3)}),
    (schedules.OneCycle, {"nsteps": 10, "maxval": 0.1}),
    (schedules.Loop, {"schedule": schedules.Exp(0.1, 0.9), "period": 3}),
    (schedules.Poly, {"start": 0.1, "degree": 2, "max_iter": 10}),
)
