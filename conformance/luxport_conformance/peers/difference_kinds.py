"""`KINDS`: the ways in which libraries define layers of one name differently, each with a sentence about it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KINDS"]

KINDS: Mapping[str, str] = {
    "biased running variance": "running variances average the biased variance of batches, luxport's the unbiased",
    "momentum is what is kept": "momentum is the share of the old statistic that stays, luxport's the share of the new",
    "epsilon inside the root": "epsilon is added to the mean of squares under the root, luxport's to the root",
    "flipped kernel": "convolutions do not flip the kernel, luxport's do unless cross_correlation=True",
    "padding high": "the odd element of SAME padding stands above, luxport's SamePad puts it below",
    "channels last": "images have their channels last, luxport's right after the batch",
    "weights (out, in)": "the weight of a dense layer is (out, in), luxport's (in, out)",
    "one sample at a time": "layers take one sample, and vmap makes the batch",
    "infinity in softmax": "the softmax beside +inf is NaN, luxport's shares 1 among the infinities",
    "masked rows": "a query that may see no key gets NaN or a mean of all values, luxport's gets 0",
    "steps beyond the length": "what a recurrent layer gives beyond a sequence's length is computed on, luxport's is 0",
    "variance in one pass": "variances are the mean of squares less the square of the mean, wrong for a large mean",
    "gate order": "the gates of a recurrent cell stand in another order",
    "one bias": "a recurrent cell has one bias where luxport's may have two",
    "two biases": "a recurrent cell has two biases where luxport's has one by default",
    "update gate reversed": "the GRU's update gate says how much is new, luxport's how much stays",
    "forget gate plus 1": "1 is added to the forget gate before the sigmoid",
    "carry (c, h)": "the LSTM's state is (memory, output), luxport's (output, memory)",
    "learning rate outside the velocity": "the velocity adds up gradients, luxport's gradients times the learning rate",
    "decoupled decay times eta": "weight decay is multiplied by the learning rate, as luxport's AdamW(couple=True)",
    "initial accumulator": "the accumulator of squares starts at another number than 0",
    "corrected AMSGrad": "AMSGrad corrects the bias of its moments, luxport's does not, as in the paper",
    "momentum on a schedule": "NAdam's momentum grows by a schedule, luxport's is beta1 throughout",
    "rectified above 5": "RAdam rectifies where rho is above 5, luxport's where it is above 4",
    "gelu by tanh": "gelu is its approximation by tanh unless told otherwise, luxport's gelu is told by name",
    "gelu by another sigmoid": "fast gelu is x sigmoid(1.702 x), luxport's gelu_sigmoid is gelu_tanh in other words",
    "constants of few digits": "the formula's constants have five or six digits, luxport's all that the dtype has",
    "epsilon hat": "Adam's epsilon is added before the bias of the moments is corrected, luxport's afterward",
    "clipped probabilities": "probabilities are clipped by epsilon, luxport adds epsilon to them",
    "epsilon of the dtype": "luxport adds the dtype's own epsilon to probabilities: float32's answer is not float64's",
    "probabilities made to add up": "probabilities are divided by their sum first, and so is the gradient",
    "mean over all entries": "the mean is over all entries, classes included, luxport's over samples",
    "loss per entry": "the loss is returned per entry or sample, luxport's is their mean by default",
    "no padding row": "the row of padding_idx is a row like others in the values, luxport's gives zeros",
    "normal draws cut": "draws are cut at two standard deviations where luxport's are not, or the other way round",
    "half a sum of squares": "the loss is half the sum of squares, luxport's their mean",
    "interleaved groups": "groups of channels take every k-th one unless told otherwise, luxport's take neighbors",
    "moments not corrected": "the bias of the moments' start is not corrected, luxport's is",
    "blocks before channels": "channels shuffled into pixels go by places first, luxport's by channels of the output",
    "formula at infinity": "the formula of an infinity is NaN, as 0 times infinity; luxport's has its limit there",
    "mean subtracted after scaling": "norms scale input and mean before they subtract, which is wrong for a large mean",
    "logarithms of 1 plus": "the logarithms are of 1 + y, luxport's of y + epsilon",
    "logarithms for probabilities": "the loss takes logarithms where luxport's takes probabilities",
}
"""The sentences by short names. `luxport_conformance.peers.differences` demonstrates each kind with numbers."""
