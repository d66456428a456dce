"""Translate Lux's training, which luxport follows: training states, steps, optimizers, and losses that are objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from luxport.porting.translate.options import write_aggregation
from luxport.porting.translate.parse import Arguments, Unported
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code, call

__all__ = ["OBJECTIVES", "RULES", "TRAINING"]

Reader = Callable[[Scope, Arguments], Code]


def _read_values(here: Scope, given: Arguments, count: int) -> list[Code]:
    given.expect_keywords()
    values = [here.write(node) for node in given.positional]
    if len(values) != count or any(value.text.startswith("*") for value in values):
        raise Unported(f"{count} arguments expected")
    return values


def _read_step_arguments(here: Scope, given: Arguments) -> list[Code]:
    """Translate a training step's arguments but the first, the backend of differentiation, which luxport chooses."""
    del given.positional[:1]
    return _read_values(here, given, 3)


def _build_setup(here: Scope, given: Arguments) -> Code:
    """Translate ``Lux.setup(rng, model)``. The random numbers differ from Julia's in any case."""
    if here.source.dialect != "lux":
        raise Unported("Flux's training changes the model itself: see luxport.training.fit")
    rng, model = _read_values(here, given, 2)
    return call("luxport.setup", [Code("0", "number") if rng.kind == "rng" or rng.text == "None" else rng, model])


def _build_train_state(here: Scope, given: Arguments) -> Code:
    """Translate ``Training.TrainState(model, ps, st, rule)``."""
    model, ps, st, rule = _read_values(here, given, 4)
    return call("luxport.training.TrainState.create", [model, rule], {"ps": ps, "st": st})


def _build_train_step(here: Scope, given: Arguments) -> Code:
    """Translate ``Training.single_train_step!(ad, objective, data, state)``, where Lux returns the gradients first."""
    given.named.pop("return_gradients", None)
    objective, data, state = _read_step_arguments(here, given)
    return Code(f"(None, *{call('luxport.training.train_step', [objective, data, state]).text})")


def _build_gradients(here: Scope, given: Arguments) -> Code:
    objective, data, state = _read_step_arguments(here, given)
    return call("luxport.training.compute_gradients", [objective, data, state])


def _build_apply_gradients(here: Scope, given: Arguments) -> Code:
    return call("luxport.training.apply_gradients", _read_values(here, given, 2))


def _build_loader(here: Scope, given: Arguments) -> Code:
    """Translate ``DataLoader((x, y); batchsize = 32, shuffle = true)``."""
    given.expect_keywords("batchsize", "partial", "shuffle")
    if len(given.positional) != 1:
        raise Unported("one array, or one tuple of arrays, expected")
    options = {"batch_size": here.write(given.named["batchsize"])} if "batchsize" in given.named else {}
    options |= {name: here.write_flag(given.named[name]) for name in ("partial", "shuffle") if name in given.named}
    return call("luxport.training.DataLoader", [here.write(given.positional[0])], options, "unknown")


def _make_rule(name: str) -> Reader:
    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("eta")
        values = [here.write(node) for node in given.positional]
        if any(value.kind not in ("number", "sizes", "unknown") or value.text.startswith("*") for value in values):
            raise Unported("numbers expected")
        options = {name: here.write(node) for name, node in given.named.items()}
        return call(f"luxport.optimizers.{name}", values, options, "rule")

    return build


def _make_objective(name: str) -> Reader:
    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords("logits", "agg")
        if given.positional:
            raise Unported("a loss with positional arguments")
        options: dict[str, Code] = {}
        if "logits" in given.named:
            options["logits"] = here.write_flag(given.named["logits"])
        if "agg" in given.named:
            options["agg"] = write_aggregation(here, given.named["agg"])
        return call(f"luxport.losses.{name}", [], options, "function")

    return build


RULES = ("Adam", "AdamW", "AdaGrad", "AdaDelta", "AdaMax", "AMSGrad", "Descent", "Momentum", "NAdam", "Nesterov")
RULES += ("OAdam", "RAdam", "RMSProp")
"""Optimizers with the same names here, and the same positional arguments."""

OBJECTIVES = ("BinaryCrossEntropyLoss", "CrossEntropyLoss", "HingeLoss", "HuberLoss", "KLDivergenceLoss", "MAELoss")
OBJECTIVES += ("MSELoss", "MSLELoss", "PoissonLoss", "SquaredHingeLoss")
"""Lux's losses that are objects, with the same names here."""

TRAINING: Mapping[str, Reader] = {
    "DataLoader": _build_loader,
    "TrainState": _build_train_state,
    "apply_gradients": _build_apply_gradients,
    "apply_gradients!": _build_apply_gradients,
    "compute_gradients": _build_gradients,
    "setup": _build_setup,
    "single_train_step": _build_train_step,
    "single_train_step!": _build_train_step,
    **{name: _make_rule(name) for name in RULES},
    **{name: _make_objective(name) for name in OBJECTIVES},
}
"""The builder for each function, by its name in Julia."""
