"""Train one classifier on real handwritten digits with every installed backend: the same code, the same seed.

The 1,797 images are scikit-learn's (8 by 8 pixels, 10 classes). JAX, PyTorch, TensorFlow and MLX train; NumPy, which
differentiates nothing, runs the trained model forward. Run it by ``make demo``.
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
from luxport import BatchNorm, Chain, Dense, Dropout, optimizers, tanh

SEED, EPOCHS, BATCH = 0, 8, 32

model = Chain(Dense(64, 128, tanh), BatchNorm(128), Dropout(0.2), Dense(128, 64, tanh), Dense(64, 10))


def cross_entropy(logits: Any, one_hot: Any) -> Any:
    """Mean over the batch of minus the log-probability of the right class."""
    xp = luxport.namespace(logits)
    shifted = logits - luxport.stop_gradient(xp.max(logits, axis=-1, keepdims=True))
    log_probability = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return -xp.mean(xp.sum(log_probability * one_hot, axis=-1))


def loss(ps: Any, st: Any, x: Any, one_hot: Any) -> tuple[Any, Any]:
    """Return the loss and the new state."""
    logits, st = model(x, ps, st)
    return cross_entropy(logits, one_hot), st


def step(opt: Any, ps: Any, st: Any, x: Any, one_hot: Any) -> tuple[Any, Any, Any, Any]:
    """Take one training step."""
    (value, st), gradients = luxport.value_and_grad(loss, has_aux=True)(ps, st, x, one_hot)
    opt, ps = optimizers.update(opt, ps, gradients)
    return value, opt, ps, st


def accuracy(ps: Any, st: Any, x: Any, labels: np.ndarray) -> float:
    """Return the share of right answers."""
    logits, _ = model(x, ps, luxport.test_mode(st))
    return float(np.mean(np.argmax(to_numpy(logits), axis=-1) == labels))


def to_numpy(array: Any) -> np.ndarray:
    """Copy an array to the host."""
    return luxport.backend_of(array).to_numpy(array)


def train(backend: str, data: Any, bar: tqdm) -> tuple[list[float], float, Any, Any]:
    """Train on one backend; return the mean loss of each epoch, the test accuracy, and what was trained."""
    x_train, y_train, x_test, y_test = data
    compiled = luxport.jit(step)
    with luxport.using(backend):
        ps, st = luxport.setup(SEED, model)
        opt = optimizers.setup(optimizers.Adam(0.003), ps)
        losses = []
        for epoch in range(EPOCHS):
            order = np.random.default_rng(epoch).permutation(len(x_train) // BATCH * BATCH).reshape(-1, BATCH)
            values = []
            for rows in order:
                x = luxport.asarray(x_train[rows])
                one_hot = luxport.asarray(np.eye(10, dtype=np.float32)[y_train[rows]])
                value, opt, ps, st = compiled(opt, ps, st, x, one_hot)
                values.append(value)
                bar.update()
            losses.append(float(np.mean([to_numpy(value) for value in values])))
        return losses, accuracy(ps, st, luxport.asarray(x_test), y_test), ps, st


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

    training = [name for name in ("jax", "torch", "tf", "mlx") if name in luxport.available_backends()]
    if chosen in training:
        training = [chosen] + [name for name in training if name != chosen]
    rows = []
    trained: Any = None
    with tqdm(total=len(training) * EPOCHS * (len(x_train) // BATCH), unit="step", dynamic_ncols=True) as bar:
        for name in training:
            bar.set_description(f"{name:>5}")
            start = time.perf_counter()
            losses, score, ps, st = train(name, data, bar)
            rows.append((name, losses, score, time.perf_counter() - start))
            trained = trained or (name, ps, st)

    print(f"\n{'backend':<8} {'loss of epoch 1 … ' + str(EPOCHS):<{8 * EPOCHS}} {'accuracy':>8} {'seconds':>8}")
    for name, losses, score, seconds in rows:
        print(f"{name:<8} {' '.join(f'{value:7.4f}' for value in losses)}  {score:8.1%} {seconds:8.1f}")
    if trained is not None:
        name, ps, st = trained
        ps, st = luxport.to((ps, st), backend="numpy")
        score = accuracy(ps, st, x_test, y_test)
        print(f"{'numpy':<8} {'(forward, with the parameters that ' + name + ' trained)':<{8 * EPOCHS}} {score:8.1%}")


if __name__ == "__main__":
    main()
