"""Train one classifier on real handwritten digits with every installed backend: the same code, the same seed.

The 1,797 images are scikit-learn's (8 by 8 pixels, 10 classes). JAX, PyTorch, TensorFlow and MLX train; NumPy, which
has no gradients, runs the trained model forward. Run it by ``make demo``.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import luxport
from luxport import BatchNorm, Chain, Dense, Dropout, losses, optimizers, tanh, training
from luxport.training import DataLoader, TrainState, train_step

SEED, EPOCHS, BATCH = 0, 8, 32

model = Chain(Dense(64, 128, tanh), BatchNorm(128), Dropout(0.2), Dense(128, 64, tanh), Dense(64, 10))


objective = losses.CrossEntropyLoss(logits=True)


def measure_accuracy(ps: Any, st: Any, x: Any, labels: Any) -> float:
    """Return the share of images that are classified correctly."""
    logits, _ = model(x, ps, luxport.test_mode(st))
    return float(training.accuracy(logits, labels))


def train(backend: str, data: Any, bar: tqdm) -> tuple[list[float], float, TrainState]:
    """Train on one backend; return the mean loss of each epoch, the test accuracy, and the trained state."""
    x_train, y_train, x_test, y_test = data
    one_hot = np.eye(10, dtype=np.float32)[y_train]
    loader = DataLoader((x_train, one_hot), BATCH, shuffle=True, partial=False, seed=SEED)
    with luxport.using(backend):
        state = TrainState.create(model, optimizers.Adam(0.003), SEED)
        means = []
        for _ in range(EPOCHS):
            values = []
            for batch in loader:
                loss, _, state = train_step(objective, luxport.tree.map(luxport.asarray, batch), state)
                values.append(loss)
                bar.update()
            means.append(float(np.mean([float(value) for value in values])))
        return means, measure_accuracy(state.ps, state.st, luxport.asarray(x_test), luxport.asarray(y_test)), state


def main() -> None:
    """Train on every backend and print one table."""
    chosen = os.environ.get("LUXPORT_BACKEND")
    if chosen:
        print(f"LUXPORT_BACKEND chose {luxport.get_backend(chosen).name}")
    pixels, labels = load_digits(return_X_y=True)
    images = (np.asarray(pixels) / 16.0).astype(np.float32)
    data: Any = train_test_split(images, labels, test_size=360, random_state=SEED, stratify=labels)
    x_train, x_test, y_train, y_test = data
    data = x_train, y_train, x_test, y_test
    print(model)

    names = [name for name in ("jax", "torch", "tf", "mlx") if name in luxport.available_backends()]
    if chosen in names:
        names = [chosen] + [name for name in names if name != chosen]
    rows = []
    trained: Any = None
    with tqdm(total=len(names) * EPOCHS * (len(x_train) // BATCH), unit="step", dynamic_ncols=True) as bar:
        for name in names:
            bar.set_description(f"{name:>5}")
            start = time.perf_counter()
            means, score, state = train(name, data, bar)
            rows.append((name, means, score, time.perf_counter() - start))
            trained = trained or (name, state.ps, state.st)

    print(f"\n{'backend':<8} {'loss of epoch 1 … ' + str(EPOCHS):<{8 * EPOCHS}} {'accuracy':>8} {'seconds':>8}")
    for name, means, score, seconds in rows:
        print(f"{name:<8} {' '.join(f'{value:7.4f}' for value in means)}  {score:8.1%} {seconds:8.1f}")
    if trained is not None:
        name, ps, st = trained
        ps, st = luxport.to((ps, st), backend="numpy")
        score = measure_accuracy(ps, st, x_test, y_test)
        print(f"{'numpy':<8} {'(forward, with the parameters that ' + name + ' trained)':<{8 * EPOCHS}} {score:8.1%}")


if __name__ == "__main__":
    main()
