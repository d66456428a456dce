"""`TrainState`: parameters, states, optimizer state and counters of a training in one immutable value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from luxport import tree
from luxport.backend import Array, Backend, backend_of, find_owner, namespace
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import initial_states
from luxport.core.layer import Layer
from luxport.core.setup import setup as setup_model
from luxport.optimizers._adjustments import adjust
from luxport.optimizers._setup import setup as setup_optimizer
from luxport.text import show
from luxport.training._loss_scaling import DynamicLossScale
from luxport.transforms._stop_gradient import stop_gradient
from luxport.tree.size_limit import check_size
from luxport.tree.static import Static

__all__ = ["ENTRIES", "Program", "StateTakenError", "TakenState", "TrainState", "expect_state", "make_lazy_state"]


class StateTakenError(RuntimeError):
    """A `TrainState` was used after a step has taken its arrays over."""


@dataclass(frozen=True)
class Program:
    """The static part of a training state: the model, its precision, loss scaling, and `DataParallel` or None."""

    model: Any
    precision: str | None = None
    scaling: DynamicLossScale | None = None
    parallel: Any = None


class _Fields(NamedTuple):
    program: Static[Program]
    ps: tree.Tree
    st: tree.Tree
    opt_state: tree.Tree
    step: Array
    skipped: Array
    scale: tree.Tree


class TrainState(_Fields):
    """An immutable value with everything that a step of training changes, and the model; see `TrainState.create`.

    It is a tree node for luxport, JAX, PyTorch, TensorFlow and optree. Its entries are ``ps``, ``st``, ``opt_state``,
    ``step`` (the number of steps taken), ``skipped`` (the number of steps skipped because of a loss or gradient that
    was not finite) and ``scale`` (the state of a `DynamicLossScale`, or None); ``model`` is an attribute beside them.

    `train_step` takes a state over, as JAX does with donated buffers: its arrays are gone afterward, and using it
    raises a `StateTakenError`.

    >>> import luxport
    >>> state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Adam(0.01), backend="torch")
    >>> int(state.step), state.model, tuple(state.ps["weight"].shape)
    (0, Dense(2, 1), (2, 1))
    """

    lazy: Any = None
    """The object from which entries are read when a backend's step returned them in its own form, or None."""

    changed: tuple[str, ...] = ()
    """In a `data_parallel` state, descriptions of changes by the user since the last step, for all ranks to compare."""

    ps: tree.Tree = property(lambda self: self._get_entry("ps"))  # type: ignore[assignment]
    st: tree.Tree = property(lambda self: self._get_entry("st"))  # type: ignore[assignment]
    opt_state: tree.Tree = property(lambda self: self._get_entry("opt_state"))  # type: ignore[assignment]
    step: Array = property(lambda self: self._get_entry("step"))  # type: ignore[assignment]
    skipped: Array = property(lambda self: self._get_entry("skipped"))  # type: ignore[assignment]
    scale: tree.Tree = property(lambda self: self._get_entry("scale"))  # type: ignore[assignment]

    def _get_entry(self, name: str) -> Any:
        return tuple.__getitem__(self, _POSITIONS[name]) if self.lazy is None else self.lazy.entry(name)

    def __iter__(self) -> Iterator[Any]:
        return tuple.__iter__(self) if self.lazy is None else iter([getattr(self, name) for name in self._fields])

    def __getitem__(self, index: Any) -> Any:
        return tuple.__getitem__(self, index) if self.lazy is None else tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, TrainState) else other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainState, tuple(self)

    @classmethod
    @explain_call_errors
    def create(
        cls,
        model: Layer | Any,
        optimizer: Any,
        rng: Any = 0,
        *,
        backend: str | Backend | None = None,
        device: str | None = None,
        dtype: str | None = None,
        ps: tree.Tree = None,
        st: tree.Tree = None,
        precision: str | None = None,
        scaling: DynamicLossScale | None = None,
    ) -> TrainState:
        """Make the state before the first step.

        Args:
            model: the layer that is trained
            optimizer: a rule of `luxport.optimizers`
            rng: a seed, or an `luxport.rng`, for the initial parameters
            backend: where the arrays are; the default backend if None
            device: on which of its devices
            dtype: the floating dtype of parameters and states, float32 if None
            ps: parameters to begin with instead of initial ones; they are copied, so that yours remain usable
            st: states likewise
            precision: "bfloat16" or "float16" to compute the model in, while parameters keep their dtype
            scaling: how the loss is scaled; None means a `DynamicLossScale()` for float16, else no scaling

        Raises: ValueError for another precision
        """
        if type(model).__hash__ is None:
            raise TypeError(f"TrainState.create expects model as a layer or a function, got {show(model)}")
        if precision not in (None, "bfloat16", "float16"):
            raise ValueError(f"TrainState expects bfloat16, float16 or None as precision, got {precision!r}")
        if ps is None:
            ps, initial = setup_model(rng, model, backend=backend, device=device, dtype=dtype)
            st = initial if st is None else st
        elif st is None:
            st = initial_states(0, model)
        check_size("TrainState.create", (ps, st))
        # PyTorch parameters that require a gradient would record a graph of all steps.
        ps, st = tree.map(_stop_gradient, (ps, st))
        opt_state = setup_optimizer(optimizer, ps)
        # Copied because a step takes them over, and an array that occurs twice could not be donated twice.
        ps, st = tree.map(_copy, (ps, st))
        if precision == "float16" and scaling is None:
            scaling = DynamicLossScale()
        array = next((leaf for leaf in tree.leaves(ps) if find_owner(type(leaf)) is not None), None)
        if array is None:
            raise ValueError("TrainState expects parameters with an array, got none")
        xp = namespace(array)
        zeros = [xp.asarray(0, dtype=xp.int32) for _ in range(2)]
        scale = None if scaling is None else scaling.setup(ps)
        return cls(Static(Program(model, precision, scaling)), ps, st, opt_state, zeros[0], zeros[1], scale)

    @property
    def model(self) -> Any:
        """The layer that is trained."""
        return self.program.value.model

    def __new__(cls, *entries: Any, **named: Any) -> TrainState:
        """Create a state from all entries, as tree functions do; users call `create` and `replace`."""
        if len(entries) + len(named) != len(_Fields._fields):
            raise TypeError(
                "a TrainState is made by TrainState.create(model, rule), and changed by state.replace(ps=...)"
            )
        return super().__new__(cls, *entries, **named)

    def __getattr__(self, name: str) -> Any:
        from luxport.hints import make_attribute_error  # imported only when a call fails

        raise make_attribute_error(self, name)

    def replace(self, **entries: Any) -> TrainState:
        """Return the state with some entries replaced.

        >>> import luxport
        >>> state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Adam(0.01))
        >>> state.replace(st={"more": None}).st
        {'more': None}
        """
        self.expect_available()
        return self._note_changes(self._replace(**entries), entries)

    def adjust(self, eta: Any = None, *, at: str = "", **values: Any) -> TrainState:
        """Return the state with changed hyper-parameters of the optimizer, see `optimizers.adjust`.

        >>> import luxport
        >>> state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Adam(0.01))
        >>> luxport.optimizers.current_rule(state.adjust(0.1).opt_state).eta
        0.1
        """
        self.expect_available()
        new = self._replace(opt_state=adjust(self.opt_state, eta, at=at, **values))
        return self._note_changes(new, {"opt_state": {"at": at, "eta": eta, **values}})

    def _note_changes(self, new: TrainState, entries: Mapping[str, Any]) -> TrainState:
        parallel = self.program.value.parallel
        if parallel is not None:
            new.changed = (*self.changed, *parallel.describe_changes(entries))
        return new

    def expect_available(self) -> None:
        """Expect that no step has taken the arrays over.

        Raises: StateTakenError
        """

    def take(self) -> None:
        """Mark the state as taken over by a step."""
        self.__class__ = TakenState  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TrainState({self.model!r}, step={self.step})"


def make_lazy_state(program: Static[Program], lazy: Any) -> TrainState:
    """Return a state whose entries are read from `lazy` when they are used."""
    state = tuple.__new__(TrainState, (program, *_NOT_READ))
    state.lazy = lazy
    return state


def expect_state(call: str, state: Any) -> None:
    """Expect a `TrainState`; `call` is the call as it should be written, for the message.

    Raises: TypeError
    """
    if not isinstance(state, TrainState):
        raise TypeError(
            f"{call} expects a TrainState as state, got {type(state).__name__}: TrainState.create(model, rule)"
        )


class TakenState(TrainState):
    """The class that a state is changed to when a step takes its arrays over, so that other states need no check."""

    def __getattribute__(self, name: str) -> Any:
        if name in _ARRAYS:
            raise StateTakenError(_TAKEN)
        return object.__getattribute__(self, name)

    def __iter__(self) -> Iterator[Any]:
        raise StateTakenError(_TAKEN)

    def expect_available(self) -> None:
        """Raise a StateTakenError."""
        raise StateTakenError(_TAKEN)

    def __repr__(self) -> str:
        return "TrainState, taken over by a step"


ENTRIES = _Fields._fields[1:]
_POSITIONS = {name: position for position, name in enumerate(_Fields._fields)}
_NOT_READ = (None,) * len(ENTRIES)
_ARRAYS = frozenset((*ENTRIES, "lazy"))
_TAKEN = (
    "this TrainState was taken over by train_step, which may reuse its memory: "
    "go on with the state that it returned, or keep this one by train_step(..., donate=False)"
)


def _stop_gradient(leaf: Any) -> Any:
    return leaf if find_owner(type(leaf)) is None else stop_gradient(leaf)


def _copy(leaf: Any) -> Any:
    if find_owner(type(leaf)) is None:
        return leaf
    return backend_of(leaf).xp.astype(leaf, leaf.dtype, copy=True)
