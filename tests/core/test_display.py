"""How models are printed: tables with counts of parameters and states."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np

import luxport as lp


class Block(lp.ContainerLayer):
    inner: lp.Layer
    pair: tuple

    def __call__(self, x, ps, st):
        return x, st


def test_the_model_of_the_quick_start(capsys):
    # Counts 256 + 33,024 + 512 + 257 + 20 parameters and 257 + 513 states, as Lux does.
    model = lp.Chain(
        lp.BatchNorm(128),
        lp.Dense(128, 256, lp.tanh),
        lp.BatchNorm(256),
        lp.Chain(lp.Dense(256, 1, lp.tanh), lp.Dense(1, 10)),
    )
    print(model)
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "Chain(",
        "    layer_1 = BatchNorm(128),           # 256 parameters, 257 states",
        "    layer_2 = Dense(128, 256, tanh),    # 33_024 parameters",
        "    layer_3 = BatchNorm(256),           # 512 parameters, 513 states",
        "    layer_4 = Chain(",
        "        layer_1 = Dense(256, 1, tanh),  # 257 parameters",
        "        layer_2 = Dense(1, 10),         # 20 parameters",
        "    ),                                  # 277 parameters",
        ")                                       # 34_069 parameters, 770 states",
    ]


def test_equal_neighbors_share_a_line():
    text = lp.display(lp.Chain(lp.Dense(4, 4), lp.Dense(4, 4), lp.Dense(4, 2), lp.Dense(4, 4)))
    assert "layer_(1-2) = Dense(4, 4),  # 40 (20 x 2) parameters" in text
    assert "layer_3 = Dense(4, 2)," in text
    assert "layer_4 = Dense(4, 4)," in text
    assert text.endswith("# 70 parameters")


def test_equal_chains_multiply_the_counts_inside():
    text = lp.display(lp.Chain(*[lp.Chain(lp.BatchNorm(2), lp.BatchNorm(2))[:]] * 3))
    assert "layer_(1-3) = Chain(" in text
    assert "layer_(1-2) = BatchNorm(2),  # 24 (4 x 6) parameters, 30 (5 x 6) states" in text
    assert text.endswith("# 24 parameters, 30 states")


def test_only_numbered_names_are_joined_to_ranges():
    names = ["a_1", "b_2", "c", "c0", "d1", "d2", "d4", "e08", "e09", "10"]
    text = lp.display(lp.Chain(dict.fromkeys(names, lp.Dense(2, 2))))
    shown = [line.split(" = ")[0].strip() for line in text.splitlines()[1:-1]]
    assert shown == ["a_1", "b_2", "c", "c0", "d(1-2)", "d4", "e08", "e09", "10"]


def test_counts_of_one_many_and_none():
    assert lp.display(lp.Chain(lp.Scale(1, use_bias=False))).splitlines() == [
        "Chain(",
        "    layer_1 = Scale((1,), use_bias=False),  # 1 parameter",
        ")                                           # 1 parameter",
    ]
    assert lp.display(lp.Chain(np.tanh)).endswith("# 0 parameters")
    assert "# 1 state\n" in lp.display(lp.Chain(lp.BatchNorm(2, affine=False, track_stats=False)))


def test_a_single_layer_is_one_line():
    assert str(lp.Dense(2, 3)) == "Dense(2, 3)  # 9 parameters"
    assert str(lp.NoOpLayer()) == "NoOpLayer()"


def test_names_of_models_and_fields():
    text = lp.display(Block(lp.Chain(lp.NoOpLayer(), name="encoder"), (lp.Dense(1, 1), lp.NoOpLayer())))
    assert text.splitlines() == [
        "Block(",
        "    inner = encoder(",
        "        layer_1 = NoOpLayer(),",
        "    ),",
        "    pair = (",
        "        layer_1 = Dense(1, 1),  # 2 parameters",
        "        layer_2 = NoOpLayer(),",
        "    ),",
        ")                               # 2 parameters",
    ]


def test_reprs_build_the_layer_again():
    names = {**vars(lp.initializers), **{name: getattr(lp, name) for name in lp.__all__}}
    for layer in (
        lp.Dense(2, 3, lp.tanh, use_bias=False, init_weight=lp.initializers.glorot_uniform(gain=2.0)),
        lp.Scale(2, 3, lp.relu),
        lp.BatchNorm(3, epsilon=1e-3),
        lp.Dropout(0.5, axes=(0, 1)),
        lp.FlattenLayer(2),
        lp.ReshapeLayer(2, -1),
        lp.SelectDim(1, 0),
        lp.Chain(lp.Dense(2, 3), lp.NoOpLayer()),
        lp.Chain(a=lp.Dense(2, 3), b=lp.NoOpLayer()),
    ):
        assert eval(repr(layer), dict(names)) == layer
