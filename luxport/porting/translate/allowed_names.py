"""The names and syntax that a generated module may contain; `module_checks` compares each node with these lists."""

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

BUILTIN_FUNCTIONS = {"abs", "enumerate", "float", "int", "len", "max", "min", "range", "reversed", "round", "slice"}
BUILTIN_FUNCTIONS |= {"sum", "tuple", "zip"}

PACKAGES = ("dataclasses", "functools", "luxport", "math", "operator")

_LAYERS = {
    name
    for name in luxport.__all__
    if isinstance(kind := getattr(luxport, name), type) and issubclass(kind, luxport.Layer)
}
_ALLOWED = {
    "dataclasses": ("dataclass", "field"),
    "functools": ("reduce",),
    "luxport": (*_LAYERS, "SamePad", "compact", "namespace", "parameter", "setup", "StatefulLayer", "test_mode"),
    "luxport.initializers": (*INITIALIZERS.values(), "constant"),
    "luxport.losses": (*LOSSES, *OBJECTIVES),
    "luxport.ops": ("make_causal_mask", "softmax", "logsoftmax", *NNLIB_NAMES),
    "luxport.optimizers": RULES,
    "luxport.porting.flux": ("OldLayerNorm",),
    "luxport.training": ("DataLoader", "TrainState.create", "apply_gradients", "compute_gradients", "train_step"),
    "math": ("ceil", "exp", "floor", "gcd", "inf", "isqrt", "lcm", "log", "log2", "pi", "prod", "sqrt"),
    "operator": ("add", "mul", "sub"),
}
ALLOWED = {f"{package}.{name}" for package, names in _ALLOWED.items() for name in names} | set(ACTIVATIONS.values())
ALLOWED |= {"luxport.training.onecold", "luxport.training.onehotbatch"}
"""The attributes of packages that a module may use."""

XP_NAMES = {*ELEMENTWISE.values(), "astype", "concat", "cumulative_sum", "expand_dims", "flip", "float32", "float64"}
XP_NAMES |= {"logical_not", "max", "mean", "min", "ones_like", "permute_dims", "reshape", "square", "squeeze", "stack"}
XP_NAMES |= {"std", "sum", "tile", "unstack", "var", "zeros_like"}
"""The functions of the Array API that a module may use."""

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
