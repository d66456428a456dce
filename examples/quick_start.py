"""The quick start: a model, its output, a gradient and one step of Adam, on the backend that LUXPORT_BACKEND names."""

import luxport
from luxport import BatchNorm, Chain, Dense, optimizers, tanh

model = Chain(
    BatchNorm(128),
    Dense(128, 256, tanh),
    BatchNorm(256),
    Chain(Dense(256, 1, tanh), Dense(1, 10)),
)
print(model)

rng = luxport.rng(0)
ps, st = luxport.setup(rng, model)
x = luxport.asarray(rng.normal((2, 128)))

y, st = model(x, ps, st)
print("\noutput:", y)


def sum_output(ps, st):
    y, st = model(x, ps, st)
    return luxport.namespace(y).sum(y), st


try:
    grads, st = luxport.grad(sum_output, has_aux=True)(ps, st)
except TypeError as error:  # NumPy, the default, runs models forward only
    raise SystemExit(f"\n{error}, or LUXPORT_BACKEND=torch") from None
print("\ngradient of the last bias:", grads["layer_4"]["layer_2"]["bias"])

opt_state = optimizers.setup(optimizers.Adam(0.0001), ps)
opt_state, ps = optimizers.update(opt_state, ps, grads)
print("\nthat bias after one step:", ps["layer_4"]["layer_2"]["bias"])
