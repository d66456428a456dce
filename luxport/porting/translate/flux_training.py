"""Translate Flux's training, which changes the model itself, into luxport's, where training states are values.

After ``opt = Flux.setup(rule, model)`` the Python variable is a `TrainState`, and the model is read from that state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.definitions import split_definition, write_body
from luxport.porting.translate.output import Piece
from luxport.porting.translate.parameters import write_parameters
from luxport.porting.translate.parse import (
    Unported,
    find_names,
    list_parts,
    read_arguments,
    read_last_name,
    read_text,
    walk_nodes,
)
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code, call

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["write_flux_training"]

_OF = "training of "
"""Prefix of the kind of a training state; the name of the model follows."""


def write_flux_training(here: Scope, node: Node) -> Scope | None:
    """Write a statement of Flux's training, and return the scope after it; return None for any other statement.

    Raises: Unported if it has no counterpart
    """
    if here.source.dialect == "lux":
        return None
    target, value = None, node
    if node.type == "assignment" and len(list_parts(node)) == 3:
        target, _, value = list_parts(node)
    position = 0
    if value.type == "index_expression" and read_text(value.named_children[-1]) == "[1]":
        value, position = value.named_children[0], 1
    if value.type != "call_expression":
        return None
    name = read_last_name(value.named_children[0])
    if name == "setup" and target is not None and not position:
        return _set_up(here, target, value)
    if name in ("gradient", "withgradient") and target is not None:
        return _differentiate(here, target, value, name == "gradient", bool(position))
    if name == "update!" and target is None:
        return _update(here, value)
    if name == "train!" and target is None:
        return _train(here, value)
    return None


def _set_up(here: Scope, target: Node, node: Node) -> Scope | None:
    """Write ``opt = Flux.setup(Adam(), model)``."""
    given = read_arguments(node)
    if len(given.positional) != 2 or target.type != "identifier" or given.positional[1].type != "identifier":
        return None
    given.expect_keywords()
    rule, model = here.write(given.positional[0]), read_text(given.positional[1])
    if here.kinds.get(model) != "layer" or not here.is_local(model) or here.indent != 4 * here.depth:
        raise Unported(
            "Flux's training changes the model, here one that this function has not made: see luxport.training.fit"
        )
    state = here.spell(read_text(target))
    here.add_code(f"{state} = ", call("luxport.training.TrainState.create", [here.write(given.positional[1]), rule]))
    # Outside of a gradient Flux's layers are in test mode by default.
    trained = f"luxport.StatefulLayer({state}.model, {state}.ps, luxport.test_mode({state}.st))"
    here = here.bind_local({read_text(target): f"{_OF}{model}", model: "bound"})
    return replace(here, renamed={**here.renamed, model: trained})


def _name_state(here: Scope, model: Node) -> str:
    found = [name for name in _list_names(here) if here.kinds.get(name) == f"{_OF}{read_text(model)}"]
    if len(found) != 1:
        raise Unported("Flux's training changes the model itself: see luxport.training.fit")
    return found[0]


def _find_trained_models(here: Scope) -> set[str]:
    return {here.kinds[name].removeprefix(_OF) for name in _list_names(here)}


def _list_names(here: Scope) -> Sequence[str]:
    return [name for name in here.kinds if str(here.kinds.get(name)).startswith(_OF)]


def _differentiate(here: Scope, target: Node, node: Node, alone: bool, first: bool) -> Scope | None:
    """Write ``loss, grads = Flux.withgradient(m -> ..., model)``, also with a ``do`` block, or ``Flux.gradient``."""
    given = read_arguments(node)
    model = given.positional[-1] if given.positional else None
    if model is None or not any(here.kinds.get(name) == f"{_OF}{read_text(model)}" for name in _list_names(here)):
        return None
    state = _name_state(here, model)
    function = given.block if given.block is not None else given.positional[0]
    if len(given.positional) != (1 if given.block is not None else 2) or given.named or (first and not alone):
        raise Unported("a gradient with respect to something other than one model")
    names = list_parts(target) if target.type in ("open_tuple", "tuple_expression") else [target]
    if any(name.type != "identifier" for name in names) or len(names) != (1 if alone else 2):
        raise Unported("gradients that are unpacked")
    objective = _write_objective(here, function, of_data=False)
    gradients, loss = read_text(names[-1]), "_" if alone else here.spell(read_text(names[0]))
    kinds = {
        gradients: "gradients" if first else "several gradients",
        **({} if alone else {read_text(names[0]): "array"}),
    }
    made = call("luxport.training.compute_gradients", [objective, Code("None"), Code(here.spell(state))])
    here.add_code(f"{here.spell(gradients)}, {loss}, _, {here.spell(state)} = ", made)
    return here.bind_local(kinds)


def _update(here: Scope, node: Node) -> Scope | None:
    """Write ``Flux.update!(opt, model, grads[1])``."""
    given = read_arguments(node)
    if len(given.positional) != 3 or not here.kinds.get(read_text(given.positional[0]), "").startswith(_OF):
        return None
    given.expect_keywords()
    state, model, gradients = given.positional
    of_one = gradients.type == "index_expression" and read_text(gradients.named_children[-1]) == "[1]"
    name = gradients.named_children[0] if of_one else gradients
    wanted = "several gradients" if of_one else "gradients"
    if here.kinds[read_text(state)] != f"{_OF}{read_text(model)}" or here.kinds.get(read_text(name)) != wanted:
        raise Unported("an update by a value that may not be a gradient of this model")
    written = here.spell(read_text(state))
    made = call("luxport.training.apply_gradients", [Code(written), Code(here.spell(read_text(name)))])
    here.add_code(f"{written} = ", made)
    return here


def _train(here: Scope, node: Node) -> Scope | None:
    """Write ``Flux.train!((m, x, y) -> ..., model, data, opt)``, also with a ``do`` block or a function of the file."""
    given = read_arguments(node)
    function = [given.block] if given.block is not None else given.positional[:1]
    rest = given.positional if given.block is not None else given.positional[1:]
    if len(rest) != 3 or not here.kinds.get(read_text(rest[2]), "").startswith(_OF):
        return None
    model, data, state = rest
    if given.named or here.kinds[read_text(state)] != f"{_OF}{read_text(model)}":
        raise Unported("train! with more than a loss, a model, data and the state of its rule")
    batches, name = here.write(data), here.spell(read_text(state))
    objective = _write_objective(here, function[0], of_data=True)
    here.add_line(f"for batch in {batches.text}:")
    made = call("luxport.training.train_step", [objective, Code("batch"), Code(name)])
    here.open_block().add_code(f"_, _, {name} = ", made)
    return here


def _write_objective(here: Scope, function: Node, *, of_data: bool) -> Code:
    """Write an objective that calls a loss with the model and the entries of a batch, and return its name.

    Unless it uses variables of an enclosing loop it is written before all other statements: then it is compiled once.
    """
    loss, lines, takes_data = _write_loss(here, function)
    if takes_data != of_data:
        raise Unported("a loss of other arguments than the model" + (" and the data" if of_data else ""))
    name = here.output.make_name("objective")
    given = ["m", f"*{here.call_helper('unpack_batch', [Code('data')]).text}"] if of_data else ["m"]
    lines += [f"def {name}(model, ps, st, data):", "    m = luxport.StatefulLayer(model, ps, st)"]
    lines += [f"    return {loss}({', '.join(given)}), m.st, {{}}"]
    if find_names(function) & here.loop_variables:
        here.piece.lines += [" " * here.indent + line for line in lines]
    else:
        here.piece.lines[here.piece.opening : here.piece.opening] = [" " * 4 * here.depth + line for line in lines]
    return Code(name, "function")


def _write_loss(here: Scope, function: Node) -> tuple[str, list[str], bool]:
    """Return the name of a loss, its lines if it is anonymous, and whether it takes more than the model."""
    if function.type == "identifier":
        name = read_text(function)
        if here.kinds.get(name) != "function" or name in here.source.several:
            raise Unported("a loss that is not a function of this file with a single method")
        return here.spell(name), [], True
    parameters, body = split_definition(function)
    assigned = {
        name
        for statement in body
        for part in walk_nodes(statement)
        if part.type in ("assignment", "compound_assignment_expression")
        for name in find_names(part.named_children[0])
    }
    if any(here.is_local(name) or here.is_outer(name) for name in assigned):
        raise Unported("a loss that assigns to a variable of the function around")
    used = set().union(*map(find_names, body)) - (set().union(*map(find_names, parameters)) if parameters else set())
    if used & _find_trained_models(here):
        raise Unported("a loss that uses another model that is trained, whose states it may change")
    if not parameters or parameters[0].type != "identifier":
        raise Unported("a loss without a model")
    model = read_text(parameters[0])
    if any(_is_field_of(part, model) for statement in body for part in walk_nodes(statement)):
        raise Unported("a loss that uses a part of the model: see luxport.compact")
    piece, name = Piece(), here.output.make_name("loss")
    own = "m" if model in here.renamed else here.spell(model)  # outside, the name may be the trained model's
    inside = replace(here, piece=piece, indent=0, mode="array", renamed={**here.renamed, model: own})
    given = write_parameters(inside, parameters, "array")
    given = replace(given, kinds=given.kinds.with_values({model: "bound"}))
    write_body(inside, f"def {name}({', '.join(given.listed)}):", body, "array", given)
    here.piece.holes += piece.holes
    return name, piece.lines, len(parameters) > 1


def _is_field_of(node: Node, name: str) -> bool:
    return node.type == "field_expression" and read_text(node.named_children[0]) == name
