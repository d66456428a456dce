"""
Networks of the papers
======================

Learned here: how well-known networks are built from layers. Functions return layers, or lists of layers for a `Chain`;
residual connections are a `Parallel`. The counts of parameters are those that torchvision publishes.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import luxport
from luxport import BatchNorm, Chain, Conv, Dense, FlattenLayer, GlobalMeanPool, MaxPool, Parallel, relu, relu6

add_branches = partial(Parallel, operator.add)


def conv(size: int, i: int, o: int, act: Any = luxport.identity, stride: int = 1, groups: int = 1) -> list[Any]:
    """Return a convolution with padding from i to o channels, and a batch norm."""
    options: Any = {"stride": stride, "padding": size // 2, "groups": groups}
    return [Conv((size, size), i, o, use_bias=False, **options), BatchNorm(o, act)]


# %%
# K. He et al. (2016): 18 layers of two convolutions a block, or 50 of three.
def resnet(counts: tuple[int, ...], deep: bool, classes: int, width: int = 64) -> Chain:
    """Return a residual network of four stages with these counts of blocks."""
    layers, i = [*conv(7, 3, width, relu, stride=2), MaxPool((3, 3), stride=2, padding=1)], width
    for stage, count in enumerate(counts):
        inner = width * 2**stage
        o = 4 * inner if deep else inner
        for index in range(count):
            stride = 2 if stage and not index else 1
            if deep:
                body = conv(1, i, inner, relu) + conv(3, inner, inner, relu, stride) + conv(1, inner, o)
            else:
                body = conv(3, i, inner, relu, stride) + conv(3, inner, o)
            past = luxport.NoOpLayer() if i == o and stride == 1 else Chain(*conv(1, i, o, stride=stride))
            layers += [add_branches(Chain(*body), past), luxport.WrappedFunction(relu)]
            i = o
    return Chain(*layers, GlobalMeanPool(), FlattenLayer(), Dense(i, classes))


# %%
# K. Simonyan, A. Zisserman (2015), for images of 224 pixels.
def vgg16(classes: int) -> Chain:
    """Return 13 convolutions and three dense layers."""
    layers, i = [], 3
    for o, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers.append(Conv((3, 3), i, o, relu, padding=1))
            i = o
        layers.append(MaxPool((2, 2)))
    dropped = luxport.Dropout(0.5)
    return Chain(*layers, FlattenLayer(), Dense(25088, 4096, relu), dropped, Dense(4096, 4096, relu), dropped,
                 Dense(4096, classes))  # fmt: skip


# %%
# M. Sandler et al. (2018): wide inside a block and narrow between blocks.
def mobilenet_v2(classes: int) -> Chain:
    """Return the network of width 1."""
    layers, i = conv(3, 3, 32, relu6, stride=2), 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for times, o, count, first in stages:
        for stride in [first] + [1] * (count - 1):
            wide = i * times
            body = [*(conv(1, i, wide, relu6) if times > 1 else []), *conv(3, wide, wide, relu6, stride, wide)]
            block = Chain(*body, *conv(1, wide, o))
            layers.append(add_branches(block, luxport.NoOpLayer()) if stride == 1 and i == o else block)
            i = o
    return Chain(*layers, *conv(1, i, 1280, relu6), GlobalMeanPool(), FlattenLayer(), luxport.Dropout(0.2),
                 Dense(1280, classes))  # fmt: skip


MODELS: dict[str, Any] = {
    "tiny": partial(resnet, (1, 1, 1, 1), False, width=8),
    "resnet18": lambda classes: resnet((2, 2, 2, 2), False, classes),
    "resnet50": lambda classes: resnet((3, 4, 6, 3), True, classes),
    "vgg16": vgg16,
    "mobilenet_v2": mobilenet_v2,
}


def main() -> None:
    """Print the counts of parameters, and plot in which parts of the networks they are."""
    import matplotlib.pyplot as plt

    for name in ("resnet18", "resnet50", "vgg16", "mobilenet_v2"):
        model = MODELS[name](1000)
        counts = [luxport.parameter_length(layer) for layer in model.layers.values()]
        print(f"{name}: {sum(counts):,} parameters, {luxport.output_shape(model, (1, 3, 224, 224))}")
        plt.plot([place / len(counts) for place in range(len(counts))], counts, marker=".", label=name)
    plt.yscale("symlog")
    plt.xlabel("place in the network")
    plt.ylabel("parameters")
    plt.legend()
    plt.show()


# %%
# What changes between backends: nothing.
if __name__ == "__main__":
    main()
