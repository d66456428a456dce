"""
ImageNet
========

Learned here: images from a folder by the input pipelines of PyTorch and TensorFlow, half precision with float32 master
parameters, and training that resumes from a checkpoint.

``python examples/imagenet.py FOLDER resnet50`` trains on FOLDER/train and FOLDER/val, which have a folder of images for
each class, and keeps its checkpoints in FOLDER/resnet50. Without a folder, a small network is trained
on small images of horizontal and vertical stripes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from networks_of_papers import MODELS
from PIL import Image

import luxport
from luxport import training

# PyTorch's compiler saves time only in long trainings.
COMPILED = luxport.default_backend().name != "torch"


# %%
# Files are in the order of their names. In training, about half of the images are mirrored.
class Images:
    """A dataset of a folder, for PyTorch's loader or TensorFlow's pipeline: images (3, size, size) and labels."""

    def __init__(self, folder: Path, size: int, train: bool) -> None:
        self.files = sorted(path for path in folder.glob("*/*") if path.is_file())
        self.classes = sorted({path.parent.name for path in self.files})
        self.size, self.train = size, train

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
        path = self.files[index]
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((self.size, self.size)), np.float32)
        pixels = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        if self.train and np.random.default_rng(index).integers(2):
            pixels = pixels[:, ::-1]
        return pixels.transpose(2, 0, 1).astype(np.float32), np.int32(self.classes.index(path.parent.name))


def make_batches(images: Images, size: int) -> Any:
    """Return TensorFlow's pipeline where TensorFlow trains, and PyTorch's loader elsewhere."""
    if luxport.default_backend().name != "tf":
        import torch
        from torch.utils.data import DataLoader

        order = torch.Generator().manual_seed(0)
        return DataLoader(images, size, shuffle=images.train, generator=order)  # pyright: ignore[reportArgumentType]
    import tensorflow as tf

    order = tf.data.Dataset.range(len(images))
    order = order.shuffle(len(images), seed=0) if images.train else order
    types = tf.float32, tf.int32
    read = order.map(lambda index: tf.numpy_function(images.__getitem__, [index], types), tf.data.AUTOTUNE)
    return read.batch(size).prefetch(2)


def write_stripes(folder: Path, count: int) -> None:
    """Write images of two classes into folder/train and folder/val."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for turned, name in enumerate(("across", "along")):
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                wave = 127 + 80 * np.sin(np.arange(32) / rng.uniform(1, 2) + rng.uniform(0, 6))
                image = np.clip(wave[:, None, None] + rng.normal(0, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(image.transpose(1, 0, 2) if turned else image).save(
                    folder / part / name / f"{index}.png"
                )


def train(
    folder: Path, name: str = "tiny", size: int = 32, batch: int = 16, epochs: int = 4, checkpoint: Path | None = None
) -> tuple[float, float, training.TrainState]:
    """Return loss and accuracy on the validation images, and the state, which is saved at `checkpoint`, too."""
    images, others = Images(folder / "train", size, train=True), Images(folder / "val", size, train=False)
    rule = luxport.optimizers.AdamW(0.002, lambda_=0.01)
    state = training.TrainState.create(MODELS[name](len(images.classes)), rule, precision="bfloat16")
    state, history = training.fit(
        luxport.losses.SparseCrossEntropyLoss(logits=True),
        state,
        make_batches(images, batch),
        epochs=epochs,
        validation=make_batches(others, batch),
        metrics={"accuracy": training.accuracy},
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        jit=COMPILED,
    )
    return history[-1]["val_loss"], history[-1]["val_accuracy"], state


def main() -> None:
    """Train on the folder of the command line, or on stripes; draw images and their classes."""
    import matplotlib.pyplot as plt

    with tempfile.TemporaryDirectory() as made:
        folder, name = Path(made), "tiny"
        if len(sys.argv) > 2:
            folder, name = Path(sys.argv[1]), sys.argv[2]
            train(folder, name, 224, 128, 90, folder / name)
            return
        write_stripes(folder, 64)
        loss, right, state = train(folder, name)
        print(f"loss {loss:.3f}, {right:.1%} of other images classified correctly")
        images = Images(folder / "val", 32, train=False)
        x = np.stack([images[index][0] for index in range(0, 128, 16)])
    said = luxport.to_numpy(state.model(luxport.asarray(x), state.ps, luxport.test_mode(state.st))[0]).argmax(axis=1)
    _, axes = plt.subplots(1, len(x), figsize=(8, 1.4))
    for axis, image, number in zip(axes, x, said, strict=True):
        axis.imshow(np.clip(image.transpose(1, 2, 0) / 4 + 0.5, 0, 1))
        axis.set_title(images.classes[number])
        axis.axis("off")
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
