"""
A graph convolutional network
=============================

Learned here: a custom layer with a weight, and a graph as an array beside the features. A network
separates a graph of 34 nodes into two groups, with the labels of only two nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

import luxport
from luxport import initializers, losses, optimizers, relu, training

# PyTorch's compiler would take longer than all of the training.
COMPILED = luxport.default_backend().name != "torch"
NODES = 34


# %%
# Edges are many inside a group and few between groups.
def make_graph() -> tuple[np.ndarray, np.ndarray]:
    """Return the normalized adjacency matrix, and the group of each node."""
    rng = np.random.default_rng(3)
    group = np.arange(NODES) % 2
    likely = np.where(group[:, None] == group, 0.35, 0.04)
    edges = np.triu(rng.uniform(size=(NODES, NODES)) < likely, 1)
    adjacency = (edges | edges.T) + np.eye(NODES)
    degree = adjacency.sum(axis=1)
    return (adjacency / np.sqrt(degree[:, None] * degree)).astype(np.float32), group


# %%
# The layer of Kipf and Welling: neighbors are averaged, then multiplied by a weight.
class GraphConv(luxport.Layer):
    """Takes ``(features, adjacency)`` and returns the same pair with new features."""

    in_dims: int
    out_dims: int
    activation: Any = luxport.identity

    def initial_parameters(self, rng: Any) -> dict[str, Any]:
        """Draw the weight."""
        return {"weight": initializers.glorot_uniform(rng, (self.in_dims, self.out_dims))}

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        """Return the new features with the same adjacency matrix, and the state."""
        features, adjacency = x
        return (self.activation(adjacency @ (features @ ps["weight"])), adjacency), st


model = luxport.Chain(GraphConv(NODES, 8, relu), GraphConv(8, 2))


def objective(model: Any, ps: Any, st: Any, data: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the loss of the two labeled nodes, the first of each group."""
    features, adjacency, labels = data
    (logits, _), st = model((features, adjacency), ps, st)
    return losses.logitcrossentropy(logits[:2], labels), st, {}


def compute_scores(state: training.TrainState) -> np.ndarray:
    """Return the logits of all nodes."""
    inputs = luxport.asarray(np.eye(NODES, dtype=np.float32)), luxport.asarray(make_graph()[0])
    return luxport.to_numpy(model(inputs, state.ps, state.st)[0][0])


def train(steps: int = 200) -> tuple[float, training.TrainState]:
    """Return the last loss and the trained state."""
    state = training.TrainState.create(model, optimizers.Adam(0.01))
    data = [luxport.asarray(values) for values in (np.eye(NODES, dtype=np.float32), make_graph()[0])]
    data = (*data, luxport.asarray(np.eye(2, dtype=np.float32)))
    for _ in tqdm(range(steps), disable=None):
        loss, _, state = training.train_step(objective, data, state, jit=COMPILED)
    return float(loss), state


def main() -> None:
    """Train, and draw the scores of all nodes."""
    import matplotlib.pyplot as plt

    loss, state = train()
    found, group = compute_scores(state), make_graph()[1]
    right = (found.argmax(axis=1) == group).mean()
    print(f"loss of the two nodes {loss:.4f}, {right:.1%} of all nodes classified correctly")
    plt.scatter(*found.T, c=group, cmap="coolwarm")
    plt.xlabel("score of the first group")
    plt.ylabel("score of the second group")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
