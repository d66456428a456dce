"""`luxport.distributed` in one process: the interface, the variables that launchers set, errors of wrong calls."""

import doctest
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import misuse
import numpy as np
import pytest

import luxport
from luxport import distributed
from luxport.distributed import _engine, _session
from luxport.distributed._launch import World, read_world
from luxport.distributed._sums import compute_weighted_means
from luxport.training import TrainState, train_step

VARIABLES = [
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "PMI_RANK",
    "PMI_SIZE",
    "SLURM_PROCID",
    "SLURM_STEP_NUM_TASKS",
    "TF_CONFIG",
    "LUXPORT_BACKEND",
]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    distributed.shutdown()


def set_variables(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_one_process_has_the_same_interface() -> None:
    distributed.initialize()
    assert (distributed.rank(), distributed.local_rank(), distributed.total_workers()) == (0, 0, 1)
    values: Any = {"w": np.array([1.0, 2.0], np.float32), "n": (3, None, "name"), "on": np.array(True)}
    for op in ("sum", "max", "min", "mean"):
        given = values if op in ("max", "min") else {**values, "on": None}
        found = distributed.allreduce(given, op)
        assert found["w"].tolist() == [1, 2] and found["n"] == (3, None, "name")
        assert distributed.reduce(given, op)["w"].tolist() == [1, 2]
    assert distributed.synchronize(values)["n"] == (3, None, "name")
    assert distributed.bcast(values)["on"]
    distributed.barrier()
    distributed.initialize("local")  # a second identical call is allowed
    assert distributed.initialized()


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_means_of_half_types_are_rounded_once(backend: str) -> None:
    """The mean of equal numbers in three processes is that number, although a third of it is not representable."""
    for dtype, numbers in (("float16", [2.0**-24, 1.0009765625, 60000.0]), ("bfloat16", [1.0078125, 3e38])):
        x = luxport.asarray(np.array(numbers), backend=backend, dtype=dtype)
        found = compute_weighted_means(lambda arrays, op: [one + one + one for one in arrays], [x], 3)[0]
        assert luxport.backend.dtype_name(found) == dtype
        assert luxport.to_numpy(found).tolist() == luxport.to_numpy(x).tolist()


@pytest.mark.parametrize("rule", [luxport.optimizers.Adam(0.1), luxport.optimizers.Nesterov(0.1)], ids=repr)
def test_an_optimizer_of_one_process_is_its_rule(rule: Any) -> None:
    distributed.initialize("local")
    accumulating = luxport.optimizers.OptimizerChain(luxport.optimizers.AccumGrad(2), rule)
    for one in (rule, accumulating):
        ps = plain = {"a": np.ones(3), "b": np.ones((2, 2))}
        grads = {"a": np.array([1.0, -2.0, 3.0]), "b": np.eye(2)}
        state = luxport.optimizers.setup(distributed.DistributedOptimizer(one), ps)
        alone = luxport.optimizers.setup(one, ps)
        for _ in range(3):
            state, ps = luxport.optimizers.update(state, ps, grads)
            alone, plain = luxport.optimizers.update(alone, plain, grads)
        assert all(np.array_equal(ps[key], plain[key]) for key in ps)
        eta = luxport.optimizers.current_rule(luxport.optimizers.adjust(state, 0.5)).rule
        assert "0.5" in repr(eta)


@pytest.mark.parametrize(
    ("variables", "world"),
    [
        ({}, World()),
        (
            {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "7"},
            World(1, 0, 4, "torchrun (RANK, WORLD_SIZE)", "a:7"),
        ),
        (
            {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "1"},
            World(3, 1, 4, "mpiexec (OMPI_COMM_WORLD_SIZE)"),
        ),
        ({"PMI_RANK": "0", "PMI_SIZE": "2"}, World(0, 0, 2, "mpiexec (PMI_SIZE)")),
        (
            {
                "TF_CONFIG": '{"cluster": {"chief": ["a:7"], "worker": ["b:7", "b:8"]}, '
                '"task": {"type": "worker", "index": 1}}'
            },
            World(2, 1, 3, "TF_CONFIG", "a:7", ("a:7", "b:7", "b:8")),
        ),
        # A batch script of SLURM is one process, however many tasks the job has.
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, World()),
    ],
    ids=str,
)
def test_the_variables_of_each_launcher_are_read(variables: dict[str, str], world: World) -> None:
    assert read_world(variables) == world


def test_processes_find_each_other_without_an_address_on_one_host_and_under_srun() -> None:
    mpi = {"PMI_RANK": "1", "PMI_SIZE": "2", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"}
    assert read_world(mpi).address.startswith("127.0.0.1:2")
    assert read_world({**mpi, "MPI_LOCALNRANKS": "1"}).address == ""
    srun = {"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "77"}
    worlds = [read_world({**srun, "SLURM_PROCID": str(i), "SLURM_STEP_NODELIST": "gpu[03-06]"}) for i in (0, 5)]
    assert worlds[0].address == worlds[1].address and worlds[0].address.startswith("gpu03:2")
    assert (worlds[1].rank, worlds[1].local_rank, worlds[1].size) == (5, 1, 8)
    by_plugin = read_world({**srun, "SLURM_STEP_NODELIST": "gpu[03-06]", "PMI_RANK": "5", "PMI_SIZE": "8"})
    assert (by_plugin.rank, by_plugin.local_rank, by_plugin.address) == (5, 1, worlds[0].address)
    # An mpiexec under SLURM is one srun task per host, so SLURM_PROCID is not a rank of its processes.
    assert read_world({**srun, "SLURM_PROCID": "1", "PMI_RANK": "5", "PMI_SIZE": "8"}).local_rank == 5


def make_empty_share() -> Any:
    _session._session = _session.Session("local", _engine.LocalEngine(), World(0, 0, 4), 1.0)
    return distributed.DistributedDataContainer(np.ones((5, 2)))


F32 = np.ones(2, np.float32)
SHARES = {
    "DistributedDataContainer has 2 samples, got the index 2": lambda: distributed.DistributedDataContainer(F32)[2],
    "rank 3 would have none": make_empty_share,
}


@pytest.mark.parametrize("line", SHARES)
def test_a_wrong_share_is_a_one_line_error(line: str) -> None:
    distributed.initialize("local")
    with pytest.raises((ValueError, IndexError)) as raised:
        SHARES[line]()
    assert line in str(raised.value) and "\n" not in str(raised.value)


def test_a_wrong_call_is_a_one_line_error() -> None:
    """The same calls as in several processes of each engine, see `misuse`."""
    distributed.initialize("local")
    misuse.check_misuse("torch", 1.0)


def test_a_process_that_was_forked_has_no_engine() -> None:
    distributed.initialize("local")
    child = multiprocessing.get_context("fork").Pool(1)
    with child, pytest.raises(RuntimeError, match="^allreduce in a process that was forked from rank 0, whose engine"):
        child.apply(_allreduce_of_child)
    assert distributed.allreduce(F32).tolist() == [1, 1]


def _allreduce_of_child() -> None:
    assert (distributed.rank(), distributed.total_workers()) == (0, 1)
    try:
        distributed.allreduce(F32)
    finally:
        distributed.shutdown()  # which must not close the parent's engine


@pytest.mark.parametrize("name", ["rank", "local_rank", "total_workers", "barrier"])
def test_a_query_before_initialize_is_an_error(name: str) -> None:
    with pytest.raises(distributed.DistributedError, match=rf"^{name} needs a running engine: call luxport\.dist"):
        getattr(distributed, name)()


def test_an_operation_on_trees_before_initialize_is_an_error() -> None:
    for call in (distributed.allreduce, distributed.reduce, distributed.bcast, distributed.synchronize):
        with pytest.raises(distributed.DistributedError, match=f"^{call.__name__} needs a running engine"):
            call(F32)
    with pytest.raises(distributed.DistributedError, match="^DistributedDataContainer needs a running engine"):
        distributed.DistributedDataContainer(F32)
    train_state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Descent(0.1))
    with pytest.raises(distributed.DistributedError, match="^data_parallel needs a running engine"):
        distributed.data_parallel(train_state)
    state = luxport.optimizers.setup(distributed.DistributedOptimizer(luxport.optimizers.Descent(0.1)), F32)
    with pytest.raises(distributed.DistributedError, match="^DistributedOptimizer needs a running engine"):
        luxport.optimizers.update(state, F32, F32)


@pytest.mark.parametrize("engine", ["torch", "jax", "tf", "mpi"])
def test_a_second_engine_is_an_error(engine: str) -> None:
    distributed.initialize("local")
    with pytest.raises(distributed.DistributedError, match="comes after initialize.'local'.: one engine at a time"):
        distributed.initialize(engine)
    distributed.shutdown()
    distributed.shutdown()


@pytest.mark.parametrize("engine", ["torch", "jax", "tf"])
def test_arrays_of_another_backend_are_an_error(engine: str) -> None:
    """Even in one process the engine is initialized, and accepts only its own arrays."""
    distributed.initialize(engine)
    said = rf"^allreduce by the engine {engine} expects arrays of {engine}, got numpy at w: luxp"
    with pytest.raises(TypeError, match=said):
        distributed.allreduce({"w": F32})


@pytest.mark.parametrize(("engine", "framework"), [("jax", "JAX"), ("tf", "TensorFlow")])
def test_an_engine_must_be_initialized_before_the_first_array(
    engine: str, framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    luxport.asarray(F32, backend=engine)
    set_variables(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    with pytest.raises(distributed.DistributedError, match=f"comes before {framework}'s first array: call it first of"):
        distributed.initialize(engine)


def test_missing_frameworks_are_named_with_their_installation() -> None:
    program = """
import sys
from luxport import distributed
for engine, framework in {"torch": "torch", "jax": "jax", "tf": "tensorflow"}.items():
    sys.modules[framework] = None
    try:
        distributed.initialize(engine)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    for line, engine in zip(lines, ("torch", "jax", "tf"), strict=True):
        assert engine in line and "install" in line, line


def test_several_processes_cannot_use_the_local_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, PMI_RANK="0", PMI_SIZE="2")
    with pytest.raises(distributed.DistributedError, match="local is one process, and mpiexec .PMI_SIZE. started 2"):
        distributed.initialize("local")
    with pytest.raises(distributed.DistributedError, match="address of rank 0: set MASTER_ADDR and MASTER_PORT"):
        distributed.initialize("torch")
    set_variables(monkeypatch, PMI_RANK="x")
    with pytest.raises(ValueError, match="whole number expected in the environment's PMI_RANK, got 'x'"):
        distributed.initialize()
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}')
    monkeypatch.delenv("PMI_SIZE")
    with pytest.raises(ValueError, match="a cluster with chief and worker, and a task among them, expected in TF_CO"):
        distributed.initialize()
    set_variables(monkeypatch, PMI_RANK="2", PMI_SIZE="2")
    with pytest.raises(ValueError, match="a rank below PMI_SIZE=2 expected, got PMI_RANK=2"):
        distributed.initialize()


def test_a_missing_engine_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="^strict has no engine that moves arrays between processes: initialize.'mpi'."):
        _session.require_engine("strict")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match="^the engine mpi needs mpi4py and an MPI: pip install mpi4py mpich"):
        distributed.initialize("mpi")
    assert not distributed.initialized()


def test_an_existing_group_of_pytorch_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed as dist

    set_variables(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # pyright: ignore[reportPrivateImportUsage]
    try:
        with pytest.raises(distributed.DistributedError, match="its group is there already: leave that call out"):
            distributed.initialize("torch")
    finally:
        dist.destroy_process_group()


def test_a_pytorch_built_without_distributed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed as dist

    set_variables(monkeypatch, RANK="0", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    monkeypatch.setattr(dist, "is_available", lambda: False)
    with pytest.raises(
        distributed.DistributedError, match="^the engine torch needs torch.distributed, which this PyTo"
    ):
        distributed.initialize("torch")


def test_tensorflow_can_join_one_cluster_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from luxport_tf import distributed as of_tf

    monkeypatch.setattr(of_tf, "_met", World(0, 0, 2))
    set_variables(monkeypatch, RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    said = "^the engine tf is rank 0 of 2 as long as its process lives, got rank 1 of 2: start a new process"
    with pytest.raises(distributed.DistributedError, match=said):
        distributed.initialize("tf")


@pytest.mark.parametrize("backend", ["jax", "tf"])
def test_mpi_moves_nothing_inside_a_program(backend: str) -> None:
    from luxport_numpy.distributed import _compute_on_host

    with pytest.raises(distributed.DistributedError, match="^the engine mpi moves arrays between programs, not inside"):
        luxport.jit(_compute_on_host)(luxport.asarray(F32, backend=backend))


@pytest.mark.parametrize(("backend", "engine"), [("torch", "torch"), ("numpy", "mpi")])
def test_auto_chooses_by_the_default_backend(backend: str, engine: str) -> None:
    with luxport.using(backend):
        assert _session._choose_engine(World(0, 0, 2, "mpiexec (PMI_SIZE)")) == engine
        assert _session._choose_engine(World(0, 0, 2, "torchrun (RANK, WORLD_SIZE)")) == "torch"
        assert _session._choose_engine(World()) == "local"


MANY_DEVICES = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
import jax, numpy as np, luxport
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from luxport import distributed, tree
from luxport.training import TrainState, train_step
model = luxport.Chain(luxport.Dense(4, 4, luxport.tanh), luxport.BatchNorm(4), luxport.Dense(4, 4))
x = luxport.asarray(np.random.default_rng(0).standard_normal((8, 4)), backend="jax", dtype="float32")
mean_square = luxport.losses.MSELoss()
def trained(state, put=lambda x: x):
    for _ in range(20):
        loss, _, state = train_step(mean_square, put((x, 2 * x)), state)
    return state
def created():
    return TrainState.create(model, luxport.optimizers.Momentum(0.05), backend="jax")
one = trained(created())
mesh = Mesh(np.array(jax.devices()), ("rows",))
cut, whole = NamedSharding(mesh, PartitionSpec("rows")), NamedSharding(mesh, PartitionSpec())
spread = lambda data: jax.device_put(data, cut)
by_hand = trained(jax.device_put(created(), whole), spread)
in_parts = trained(jax.tree.map(lambda leaf: jax.device_put(leaf, cut if leaf.ndim else whole), created()), spread)
assert all(leaf.sharding == cut for leaf in jax.tree.leaves((in_parts.ps, in_parts.opt_state)) if leaf.ndim)
distributed.initialize("jax")
ours = trained(distributed.data_parallel(created(), sync_batch_norm=True))
for many in (by_hand, in_parts, ours):
    pairs = [luxport.to_numpy((state.ps, state.st)) for state in (many, one)]
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), *pairs)
# Six samples are for three of four devices, seven for one; integers are added up.
def many_errors(model, ps, st, data):
    loss, st, _ = mean_square(model, ps, st, data)
    return loss, st, {"count": jax.numpy.sum(data[0] > 0)}
for count in (8, 6, 7):
    data = (x[:count], 2 * x[:count])
    pairs = []
    for state in (distributed.data_parallel(created(), sync_batch_norm=True), created()):
        loss, stats, state = train_step(many_errors, data, state)
        assert int(stats["count"]) == int((x[:count] > 0).sum()), stats
        pairs.append(luxport.to_numpy((state.ps, state.st, loss)))
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-6), *pairs)
# A mean of numbers whose sum no float32 holds.
def products(model, ps, st, x):
    return jax.numpy.sum(model(x, ps, st)[0]), st, {}
state = TrainState.create(luxport.Scale(1, use_bias=False), luxport.optimizers.Descent(2.0**-120), backend="jax")
state = distributed.data_parallel(state.replace(ps={"weight": jax.numpy.zeros(1)}))
state = train_step(products, jax.numpy.full((4, 1), 2.0**127), state)[2]
assert state.ps["weight"].tolist() == [-128.0], state.ps
"""


def test_devices_of_one_process_equal_one_device() -> None:
    """With the user's own sharding of batches and parameters, and with `data_parallel`, to 1e-6."""
    done = subprocess.run([sys.executable, "-c", MANY_DEVICES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_step_after_shutdown_is_an_error() -> None:
    distributed.initialize("local")
    state = TrainState.create(luxport.Dense(2, 1), luxport.optimizers.Descent(0.1), backend="torch")
    state = distributed.data_parallel(state)
    x = luxport.asarray([[1.0, 2.0]], backend="torch", dtype="float32")
    _, _, state = train_step(luxport.losses.MSELoss(), (x, x[:, :1]), state, jit=False)
    distributed.shutdown()
    with pytest.raises(distributed.DistributedError, match="^train_step needs a running engine"):
        train_step(luxport.losses.MSELoss(), (x, x[:, :1]), state, jit=False)


def test_the_examples_of_the_page_run() -> None:
    failed, tried = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "distributed.md"), module_relative=False)
    assert tried > 8 and failed == 0
