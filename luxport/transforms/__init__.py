"""Differentiation, compilation and loops, the same for all backends; the backend of the arrays carries them out."""

from typing import TYPE_CHECKING

from luxport.lazy import explain_absent_names

from ._compiling import checkpoint as checkpoint
from ._compiling import jit as jit
from ._custom_gradient import CustomCall as CustomCall
from ._custom_gradient import CustomGradient as CustomGradient
from ._custom_gradient import custom_vjp as custom_vjp
from ._derivatives import batched_jacobian as batched_jacobian
from ._derivatives import hessian as hessian
from ._gradients import grad as grad
from ._gradients import jacobian as jacobian
from ._gradients import jvp as jvp
from ._gradients import value_and_grad as value_and_grad
from ._gradients import vjp as vjp
from ._loops import scan as scan
from ._loops import unroll_scan as unroll_scan
from ._stop_gradient import stop_gradient as stop_gradient

if not TYPE_CHECKING:
    __getattr__ = explain_absent_names(__name__)
