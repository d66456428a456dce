"""Recurrent layers compared with PyTorch's and Keras's, their cells, initial values and errors, and `scan`."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest
import torch

import luxport as lp
from luxport import initializers
from luxport.ops import definition_of

CELLS = {"rnn": lp.RNNCell, "lstm": lp.LSTMCell, "gru": lp.GRUCell}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def set_up(model, backend, dtype="float64"):
    ps, st = lp.setup(1, model, backend=backend, dtype=dtype)
    return lp.tree.map(lambda leaf: leaf * 1.5, ps), st


def host(backend, values):
    return lp.tree.map(backend.to_numpy, values)


def copy_level_to_torch(oracle, level, ps, suffix=""):
    """Copy the weights of a level to a module of PyTorch."""
    with torch.no_grad():
        for name, value in ps.items():
            getattr(oracle, f"{name}_l{level}{suffix}").copy_(torch.tensor(np.array(value)).mT if value.ndim > 1
                                                              else torch.tensor(np.array(value)))  # fmt: skip


class TestAgainstPyTorch:
    @pytest.mark.parametrize("kind", CELLS)
    def test_levels_and_carries_equal_pytorchs(self, kind):
        layer = {"rnn": lp.RNN, "lstm": lp.LSTM, "gru": lp.GRU}[kind]
        model = layer(3, 5, num_layers=2, use_recurrent_bias=True, return_state=True)
        ps, st = lp.setup(0, model, backend="numpy", dtype="float64")
        oracle = getattr(torch.nn, kind.upper())(3, 5, num_layers=2, batch_first=True).double()
        for level in range(2):
            copy_level_to_torch(oracle, level, ps[f"layer_{level + 1}"])
        x, start = draw(2, 4, 3), tuple(draw(2, 2, 5, seed=i) for i in range(2 if kind == "lstm" else 1))
        given = tuple(map(torch.tensor, start))
        want, ends = oracle(torch.tensor(x), given if kind == "lstm" else given[0])
        ends = ends if kind == "lstm" else (ends,)
        (y, carry), _ = model((x, tuple(zip(*start, strict=True))), ps, st)
        np.testing.assert_allclose(y, want.detach(), rtol=1e-12, atol=1e-14)
        for level in range(2):
            for got, end in zip(carry[level], ends, strict=True):
                np.testing.assert_allclose(got, end[level].detach(), rtol=1e-12, atol=1e-14)

    def test_both_directions_and_lengths_equal_pytorchs(self):
        model = lp.BidirectionalRNN(lp.LSTMCell(3, 5), masked=True, return_state=True)
        ps, st = lp.setup(0, model, backend="numpy", dtype="float64")
        oracle = torch.nn.LSTM(3, 5, batch_first=True, bidirectional=True).double()
        copy_level_to_torch(oracle, 0, ps["forward_rnn"])
        copy_level_to_torch(oracle, 0, ps["backward_rnn"]["rnn"], "_reverse")
        x, lengths = draw(3, 4, 3), np.array([2, 4, 1])
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
        want, (h, c) = oracle(packed)
        want, _ = torch.nn.utils.rnn.pad_packed_sequence(want, batch_first=True)
        (y, carries), _ = model((x, lengths), ps, st)
        np.testing.assert_allclose(y, want.detach(), rtol=1e-12, atol=1e-14)
        for direction in range(2):
            np.testing.assert_allclose(carries[direction][0], h[direction].detach(), rtol=1e-12)
            np.testing.assert_allclose(carries[direction][1], c[direction].detach(), rtol=1e-12)

    @pytest.mark.parametrize("num_layers", [1, 2])
    def test_levels_of_both_directions_equal_pytorchs(self, num_layers):
        model = lp.LSTM(3, 5, num_layers=num_layers, bidirectional=True, use_recurrent_bias=True, return_state=True)
        ps, st = lp.setup(0, model, backend="numpy", dtype="float64")
        oracle = torch.nn.LSTM(3, 5, num_layers=num_layers, batch_first=True, bidirectional=True).double()
        levels = [ps] if num_layers == 1 else [ps["layer_1"], ps["layer_2"]]
        for level, both in enumerate(levels):
            copy_level_to_torch(oracle, level, both["forward_rnn"])
            copy_level_to_torch(oracle, level, both["backward_rnn"]["rnn"], "_reverse")
        x, start = draw(2, 4, 3), [draw(2 * num_layers, 2, 5, seed=i) for i in range(2)]
        want, ends = oracle(torch.tensor(x), tuple(map(torch.tensor, start)))
        # PyTorch lists both directions of each level one after the other.
        carries = [((start[0][i], start[1][i]), (start[0][i + 1], start[1][i + 1])) for i in range(0, len(start[0]), 2)]
        (y, carry), _ = model((x, carries[0] if num_layers == 1 else tuple(carries)), ps, st)
        np.testing.assert_allclose(y, want.detach(), rtol=1e-12, atol=1e-14)
        for level, pair in enumerate([carry] if num_layers == 1 else carry):
            for direction in range(2):
                for got, end in zip(pair[direction], ends, strict=True):
                    np.testing.assert_allclose(got, end[2 * level + direction].detach(), rtol=1e-12, atol=1e-14)

    def test_initial_values_have_pytorchs_bounds(self):
        # As in torch.nn.LSTM, weights and biases are U(-a, a) with a = 1 / sqrt(out).
        ps, _ = lp.setup(0, lp.LSTMCell(30, 100), backend="numpy")
        assert list(ps) == ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
        for value in ps.values():
            assert 0.98 * 0.1 < np.abs(value).max() <= 0.1
            assert value.std() == pytest.approx(0.1 / 3**0.5, rel=5e-2)


class TestAgainstKeras:
    @pytest.mark.parametrize("kind", ["gru", "gru_v3", "lstm"])
    def test_sequences_equal_kerass(self, kind, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        import keras

        x = draw(2, 4, 3).astype(np.float32)
        if kind == "lstm":
            model, oracle = lp.LSTM(3, 5), keras.layers.LSTM(5, return_sequences=True)
        elif kind == "gru":
            model = lp.GRU(3, 5, use_recurrent_bias=True)
            oracle = keras.layers.GRU(5, return_sequences=True, reset_after=True)
        else:
            model, oracle = lp.GRUv3(3, 5), keras.layers.GRU(5, return_sequences=True, reset_after=False)
        ps, st = lp.setup(0, model, backend="numpy")

        def gates(value):  # Keras's GRU orders its gates update, reset, candidate
            if kind == "lstm":
                return value
            reset, update, new = np.split(value, 3, axis=-1)
            return np.concatenate([update, reset, new], axis=-1)

        oracle.build(x.shape)
        recurrent = ps["weight_hh"]
        if kind == "gru_v3":
            recurrent = np.concatenate([recurrent[:, :10], ps["weight_hn"]], axis=-1)
        bias = gates(ps["bias_ih"])
        bias = np.stack([bias, gates(ps["bias_hh"])]) if kind == "gru" else bias
        oracle.set_weights([gates(ps["weight_ih"]), gates(recurrent), bias])
        want = keras.ops.convert_to_numpy(oracle(x))
        np.testing.assert_allclose(model(x, ps, st)[0], want, rtol=2e-5, atol=2e-6)


class TestCells:
    def test_initial_carries_are_trained_or_drawn(self, backend):
        x = backend.asarray(draw(4, 3), dtype="float64")
        cell = lp.LSTMCell(3, 5, train_state=True, init_state=initializers.ones, init_memory=initializers.normal)
        ps, st = set_up(cell, backend)
        assert "memory" not in ps
        (y, carry), _ = cell(x, ps, st)
        hidden, memory = host(backend, cell.initial_carry(x, ps, st))
        np.testing.assert_array_equal(hidden, np.full((4, 5), 1.5))
        # Lux ignores init_memory unless the memory is trained (a fault of its); here it draws the same values at each
        # call.
        assert memory.shape == (4, 5)
        assert memory.std() > 0.5
        np.testing.assert_array_equal(host(backend, cell.initial_carry(x, ps, st)[1]), memory)
        again, _ = cell((x, tuple(backend.asarray(part, dtype="float64") for part in (hidden, memory))), ps, st)
        np.testing.assert_array_equal(host(backend, y), host(backend, again[0]))

    def test_each_gate_may_have_its_own_initializer(self):
        forget_one = (initializers.zeros, initializers.ones, initializers.zeros, initializers.zeros)
        cell = lp.LSTMCell(
            3, 2, init_bias=forget_one, init_weight=initializers.glorot_uniform, use_recurrent_bias=False
        )
        ps, _ = lp.setup(0, cell, backend="numpy")
        np.testing.assert_array_equal(ps["bias_ih"], [0, 0, 1, 1, 0, 0, 0, 0])
        assert np.abs(ps["weight_ih"]).max() > 3**-0.5  # Glorot's bound for one gate is sqrt(6 / 5)
        assert lp.parameter_length(cell) == 4 * (3 * 2 + 2 * 2 + 2)
        with pytest.raises(
            ValueError, match="^LSTMCell expects an initializer for each of 4 gates as init_bias, got 3"
        ):
            lp.LSTMCell(3, 2, init_bias=forget_one[:3])

    def test_errors(self):
        x = np.zeros((2, 3), np.float32)
        cell = lp.LSTMCell(3, 2)
        ps, st = lp.setup(0, cell, backend="numpy")
        hidden = np.zeros((2, 2), np.float32)
        for given, message in (
            (x[:, :2], r"^LSTMCell expects \(\.\.\., 3\), got \(2, 2\)"),
            ((x, (hidden,)), r"^LSTMCell expects a tuple \(hidden, memory\) as its carry, got \(\*,\)"),
            ((x, (hidden, x)), r"^LSTMCell expects a carry \(\.\.\., 2\), got \(2, 3\)"),
        ):
            with pytest.raises(lp.LayerError, match=message):
                cell(given, ps, st)
        with pytest.raises(TypeError, match="^LSTMCell expects float32 as its parameters, got float64"):
            cell(x.astype(np.float64), ps, st)


class TestRecurrence:
    def test_errors(self):
        model = lp.Recurrence(lp.RNNCell(3, 2), masked=True)
        ps, st = lp.setup(0, model, backend="numpy")
        x = np.zeros((2, 4, 3), np.float32)
        for given, message in (
            (x, r"expects \(x, mask\) or \(x, mask, carry\) with masked=True"),
            ((x, np.ones(2, bool)), r"expects flags \(N, T\) as its mask, got \(2,\)"),
            ((x, np.ones((2, 4), int)), r"expects lengths \(N,\) as its mask, got \(2, 4\)"),
            ((x[0, 0], np.ones(())), r"expects \(N, T, ...\), got \(3,\)"),
            (([], np.ones(())), "expects at least one step, got none"),
            ((x[..., :2], np.ones(2, int)), r"expects \(\.\.\., 3\), got \(2, 4, 2\)"),
        ):
            with pytest.raises(lp.LayerError, match="^Recurrence " + message):
                model(given, ps, st)
        with pytest.raises(TypeError, match=r"^Recurrence expects a recurrent cell, got Dense\(3, 2\)"):
            lp.Recurrence(lp.Dense(3, 2))
        with pytest.raises(ValueError, match="^BidirectionalRNN expects 'concat', .*, got 'max'"):
            lp.BidirectionalRNN(lp.RNNCell(3, 2), merge_mode="max")
        with pytest.raises(ValueError, match="^RNN expects at least one layer, got num_layers=0"):
            lp.RNN(3, 2, num_layers=0)

    def test_shapes_and_printed_texts(self):
        model = lp.Chain(lp.LSTM(3, 5, num_layers=2, dropout=0.5), lp.BidirectionalRNN(lp.GRUCell(5, 4)))
        assert lp.output_shape(model, (2, 7, 3)) == (2, 7, 8)
        masked = lp.BidirectionalRNN(lp.RNNCell(3, 4), lp.GRUCell(3, 4), merge_mode=None, masked=True)
        assert lp.output_shape(masked, ((2, 7, 3), np.array([7, 3], np.int32))) == ((2, 7, 4), (2, 7, 4))
        assert repr(model[0]) == "LSTM(3, 5, num_layers=2, dropout=0.5)"
        assert repr(lp.RNN(3, 5, lp.relu)) == "RNN(3, 5, activation=relu)"
        assert lp.LSTM(3, 5) == lp.LSTM(3, 5)
        assert list(lp.setup(0, model, backend="numpy")[1]["layer_1"]) == ["layer_1", "dropout_1", "layer_2"]

    def test_masked_steps_keep_the_carry_and_ignore_their_inputs(self, backend):
        model = lp.Recurrence(lp.GRUv3Cell(3, 2), return_sequence=True, return_state=True, masked=True)
        ps, st = set_up(model, backend)
        x = draw(2, 4, 3)
        x[1, 2:] = np.nan  # masked inputs may be anything
        x = backend.asarray(x, dtype="float64")
        (y, carry), _ = model((x, backend.asarray(np.array([4, 2], np.int32))), ps, st)
        (short, held), _ = model((x[:, :2, :], backend.asarray(np.array([2, 2], np.int32))), ps, st)
        y, short = host(backend, y), host(backend, short)
        np.testing.assert_array_equal(y[1, 2:], np.zeros((2, 2)))
        np.testing.assert_allclose(y[:, :2], short, rtol=1e-12)
        np.testing.assert_allclose(host(backend, carry[0])[1], host(backend, held[0])[1], rtol=1e-12)

    def test_a_users_cell_keeps_its_state(self, backend):
        class Counting(lp.RecurrentCell):
            def initial_states(self, rng):
                return {"calls": np.zeros((), np.int32)}

            def initial_carry(self, x, ps, st):
                return (0.0 * x,)

            def step(self, x, carry, ps, st):
                total = carry[0] + x
                return ((2.0 * total, total), (total,)), {"calls": st["calls"] + 1}

        model = lp.Recurrence(Counting(), return_state=True)
        ps, st = lp.setup(0, model, backend=backend)
        ((twice, total), carry), st = model(backend.asarray(np.ones((2, 3, 4))), ps, st)
        assert int(st["calls"]) == 3
        np.testing.assert_array_equal(host(backend, twice), np.full((2, 4), 6.0))
        np.testing.assert_array_equal(host(backend, total), host(backend, carry[0]))


class TestGradients:
    def test_gradients_through_twenty_steps_equal_pytorchs(self, differentiating):
        model = lp.LSTM(3, 4)
        ps, st = set_up(model, differentiating)
        x = differentiating.asarray(draw(2, 20, 3), dtype="float64")
        xp = differentiating.xp

        def loss(ps, x):
            y, _ = model(x, ps, st)
            return xp.mean(y[:, -1, :] ** 2)

        # JAX compiles each operation anyway, and Inductor would take a minute for twenty steps.
        gradient = lp.grad(loss) if differentiating.name == "torch" else lp.jit(lp.grad(loss))
        gradient = host(differentiating, gradient(ps, x))
        oracle = torch.nn.LSTM(3, 4, batch_first=True).double()
        copy_level_to_torch(oracle, 0, {**host(differentiating, ps), "bias_hh": np.zeros(16)})
        (oracle(torch.tensor(draw(2, 20, 3)))[0][:, -1] ** 2).mean().backward()
        for name, got in gradient.items():
            want = getattr(oracle, f"{name}_l0").grad.numpy()
            np.testing.assert_allclose(got, want.T, rtol=1e-9, atol=1e-14)

    @pytest.mark.parametrize("kind", CELLS)
    def test_second_gradients_of_pytorchs_own_sweeps(self, kind):
        sweep = getattr(lp.ops, f"{kind}_sweep")
        gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind]
        shapes = [(5, 2, 3), (3, 2 * gates), (2, 2 * gates), (2 * gates,), (2 * gates,)]
        shapes += [(2, 2)] * (2 if kind == "lstm" else 1)
        arrays = [torch.tensor(draw(*shape, seed=i), requires_grad=True) for i, shape in enumerate(shapes)]

        def second(f):
            first = torch.autograd.grad((f(*arrays)[0] ** 3).sum(), arrays, create_graph=True)
            return torch.autograd.grad(sum((g * g).sum() for g in first), arrays)

        for got, want in zip(second(sweep), second(definition_of(sweep)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


class TestScan:
    @staticmethod
    def scan_sums(xp, x, **options):
        def step(carry, part):
            total = carry["total"] + part["x"]
            return {"total": total, "kind": carry["kind"]}, {"y": total, "nothing": None}

        init = {"total": xp.zeros_like(x[0, ...]), "kind": lp.Static("sum")}
        return lp.scan(step, init, {"x": x}, **options)

    @pytest.mark.parametrize("compiled", [False, True])
    def test_scan_accepts_trees_and_both_directions(self, backend, compiled):
        x = draw(4, 2)

        def program(x):
            return self.scan_sums(backend.xp, x), self.scan_sums(backend.xp, x, reverse=True)

        run = lp.jit(program) if compiled and backend.name != "torch" else program
        (carry, ys), (_, backwards) = run(backend.asarray(x, dtype="float64"))
        assert carry["kind"] == lp.Static("sum")
        np.testing.assert_allclose(host(backend, carry["total"]), x.sum(0), rtol=1e-12)
        np.testing.assert_allclose(host(backend, ys["y"]), x.cumsum(0), rtol=1e-12)
        np.testing.assert_allclose(host(backend, backwards["y"]), x[::-1].cumsum(0)[::-1], rtol=1e-12)
        assert ys["nothing"] is None

    def test_scan_accepts_no_steps_and_no_inputs(self, backend):
        start = backend.asarray(np.ones(2), dtype="float64")
        carry, ys = lp.scan(lambda c, x: (c * x, (c, x)), start, backend.asarray(np.ones((0, 2)), dtype="float64"))
        assert (tuple(ys[0].shape), tuple(ys[1].shape)) == ((0, 2), (0, 2))
        np.testing.assert_array_equal(host(backend, carry), np.ones(2))
        carry, ys = lp.scan(lambda c, x: (2.0 * c, c), start, None, length=3)
        np.testing.assert_array_equal(host(backend, carry), np.full(2, 8.0))
        np.testing.assert_array_equal(host(backend, ys)[:, 0], [1, 2, 4])

    def test_errors(self):
        x = np.ones((3, 2))
        for arguments, options, error, message in (
            ((lambda c, x: (c, x), x, None), {}, ValueError, "^scan expects xs or a length, got neither"),
            ((lambda c, x: (c, x), x, x), {"length": 2}, ValueError, "^scan expects one size .*, got 3, 2"),
            ((lambda c, x: (c, x), x, (x, x[:1])), {}, ValueError, "^scan expects one size .*, got 3, 1"),
            ((lambda c, x: (c, x), x, x[0, 0]), {}, ValueError, "^scan expects arrays with at least one axis"),
            ((lambda c, x: c, x, x), {}, TypeError, "^scan expects a pair"),
        ):
            with pytest.raises(error, match=message):
                lp.scan(*arguments, **options)

    def test_a_carry_of_another_kind_is_an_error(self, backend):
        xp, x = backend.xp, backend.asarray(np.ones((3, 2)), dtype="float32")
        for f, error, message in (
            (lambda c, x: (xp.stack([c, x]), x), TypeError, r"float32 \(2, 2\) from float32 \(2,\)"),
            (lambda c, x: (xp.astype(c, xp.int32), x), TypeError, r"int32 \(2,\) from float32 \(2,\)"),
            (lambda c, x: ({"c": c}, x), TypeError, "got dict in place of an array"),
        ):
            with pytest.raises(error, match=message):
                lp.scan(f, x[0, ...], x)
        assert float(lp.scan(lambda c, x: (c + x, x), 0.0, x[:, 0])[0]) == 3.0

    def test_lengths_may_be_unknown_in_a_tensorflow_graph(self):
        import tensorflow as tf

        model = lp.Recurrence(lp.GRUCell(3, 2), masked=True)
        ps, st = lp.setup(0, model, backend="tf")

        @tf.function(
            autograph=False,
            input_signature=[tf.TensorSpec((None, None, 3), tf.float32), tf.TensorSpec((None,), tf.int32)],
        )
        def gradient(x, lengths):
            def loss(x):
                return tf.reduce_sum(model((x, lengths), ps, st)[0] ** 2)

            return lp.value_and_grad(loss)(x)

        for samples, steps in ((2, 4), (3, 2)):
            x = tf.constant(draw(samples, steps, 3), tf.float32)
            lengths = tf.constant(np.arange(samples) % steps + 1, tf.int32)
            value, slope = gradient(x, lengths)
            want = model((x, lengths), ps, st)[0]
            assert float(value) == pytest.approx(float(tf.reduce_sum(want**2)), rel=1e-5)
            assert bool(tf.reduce_all(slope[0, 1:] == 0.0))
            assert bool(tf.reduce_any(slope[1, 1] != 0.0))


# The library's kernels would read these weights as if they had the right size.
WRONG_WEIGHTS = {
    "weight_hh (out, 4 out) with out = 5 as in weight_ih, got (8, 16)": (2, (8, 16)),
    "weight_ih (in, 4 out) with in = 3 as in x, got (0, 0)": (1, (0, 0)),
    "bias_ih (4 out) with out = 5 as in weight_ih, got (4,)": (3, (4,)),
    "hidden (N, out) with N = 2 as in x and out = 5 as in weight_ih, got (3, 5)": (5, (3, 5)),
}


@pytest.mark.parametrize("text", WRONG_WEIGHTS)
def test_wrong_sizes_are_refused_before_the_kernel(text):
    place, shape = WRONG_WEIGHTS[text]
    shapes = [(4, 2, 3), (3, 20), (5, 20), (20,), (20,), (2, 5), (2, 5)]
    shapes[place] = shape
    for backend in lp.available_backends():
        arrays = [lp.asarray(np.ones(s, np.float32), backend=backend) for s in shapes]
        with pytest.raises(lp.LayerError) as caught:
            lp.ops.lstm_sweep(*arrays)
        assert str(caught.value) == f"lstm_sweep expects {text}"
