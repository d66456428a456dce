"""The names and syntax that a generated module may contain; `checked` compares each node with these lists."""

from __future__ import annotations

import ast

import luxport
from luxport.porting.translate.helpers import HELPERS
from luxport.porting.translate.nnlib import NNLIB_NAMES
from luxport.porting.translate.tables import ACTIVATIONS, ELEMENTWISE, INITIALIZERS, LOSSES
from luxport.porting.translate.training import OBJECTIVES, RULES

__all__ = [
    "ALLOWED",
    "IS_MAIN",
    "BUILTIN_FUNCTIONS",
    "HELPER_TREES",
    "HIGHEST_POWER",
    "NODE_KINDS",
    "METHODS",
    "MOST_OPTIONS",
    "PACKAGES",
    "NODE_FIELDS",
    "XP_NAMES",
]


BUILTIN_FUNCTIONS = {
    "abs",
    "enumerate",
    "float",
    "int",
    "len",
    "max",
    "min",
    "range",
    "reversed",
    "round",
    "slice",
    "sum",
}


BUILTIN_FUNCTIONS |= {"tuple", "zip"}


PACKAGES = ("dataclasses", "functools", "luxport", "math", "operator")


_LAYERS = {
    name
    for name in luxport.__all__
    if isinstance(kind := getattr(luxport, name), type) and issubclass(kind, luxport.Layer)
}


ALLOWED = (
    {f"luxport.{name}" for name in _LAYERS}
    | {f"luxport.initializers.{name}" for name in INITIALIZERS.values()}
    | set(ACTIVATIONS.values())
)


ALLOWED |= {f"luxport.{name}" for name in ("SamePad", "compact", "initializers.constant", "namespace", "parameter")}


ALLOWED |= {"luxport.training.onecold", "luxport.training.onehotbatch"}


ALLOWED |= {"luxport.porting.flux.OldLayerNorm", "luxport.ops.softmax", "luxport.ops.logsoftmax"}


ALLOWED |= {f"luxport.ops.{name}" for name in ("make_causal_mask", *NNLIB_NAMES)}


ALLOWED |= {f"math.{name}" for name in ("ceil", "exp", "floor", "inf", "log", "log2", "pi", "prod", "sqrt")}


ALLOWED |= {f"math.{name}" for name in ("gcd", "isqrt", "lcm")}


ALLOWED |= {f"luxport.losses.{name}" for name in LOSSES}


ALLOWED |= {"luxport.setup", "luxport.StatefulLayer", "luxport.test_mode"} | {
    f"luxport.losses.{name}" for name in OBJECTIVES
}


ALLOWED |= {f"luxport.optimizers.{name}" for name in RULES}


ALLOWED |= {
    f"luxport.training.{name}"
    for name in ("DataLoader", "TrainState.create", "apply_gradients", "compute_gradients", "train_step")
}


ALLOWED |= {"dataclasses.dataclass", "dataclasses.field", "functools.reduce"}


ALLOWED |= {"operator.add", "operator.mul", "operator.sub"}


XP_NAMES = {*ELEMENTWISE.values(), "astype", "concat", "expand_dims", "float32", "float64", "max", "mean", "min"}


XP_NAMES |= {
    "cumulative_sum",
    "flip",
    "logical_not",
    "ones_like",
    "permute_dims",
    "reshape",
    "square",
    "squeeze",
    "stack",
    "std",
    "sum",
}


XP_NAMES |= {"tile", "unstack", "var", "zeros_like"}


METHODS = {"__call__", "initial_parameters", "initial_states"}


NODE_KINDS: frozenset[type[ast.AST]] = frozenset(
    {ast.Module, ast.Import, ast.alias, ast.FunctionDef, ast.ClassDef, ast.arguments, ast.arg, ast.keyword}
    | {ast.Assign, ast.AnnAssign, ast.Expr, ast.Return, ast.Raise, ast.For, ast.While, ast.If, ast.Pass, ast.Break}
    | {ast.Continue, ast.Name, ast.Attribute, ast.Constant, ast.Call, ast.Subscript, ast.Slice, ast.Starred}
    | {ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.comprehension, ast.Lambda, ast.IfExp, ast.BoolOp, ast.BinOp}
    | {ast.UnaryOp, ast.Compare}
)


NODE_FIELDS = {kind: tuple(name for name in kind._fields if name not in ("op", "ops", "ctx")) for kind in NODE_KINDS}
"""The fields of each kind of node that contain nodes to check; operators are all allowed and bind nothing."""


MOST_OPTIONS = 1000
"""The largest number of keyword arguments in a call: compiling it compares each with all others."""


HIGHEST_POWER = 64
"""The largest exponent: Python computes constant expressions on import, and ``9 ** 9 ** 9 ** 9`` would not end."""


IS_MAIN = ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body)


HELPER_TREES = {name: ast.dump(ast.parse(code).body[0]) for name, code in HELPERS.items()}
