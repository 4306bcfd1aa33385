"""PyTorch: eager or compiled, in f32 or with bf16 autocast, and its fused Adam; or predictions alone."""

import contextlib

import torch
from torch import nn

import timing

settings = timing.arguments("eager", "compiled", "eager-bf16", "compiled-bf16", "infer", "infer-compiled")
torch.set_num_threads(settings.threads)
torch.manual_seed(0)

layers = []
for inputs, outputs in zip(settings.layers, settings.layers[1:]):
    layers += [nn.Linear(inputs, outputs), nn.ReLU()]
model = nn.Sequential(*layers[:-1])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
loss_of = nn.CrossEntropyLoss()
x, y = (torch.from_numpy(values).unbind() for values in timing.batches(settings))
precision = contextlib.nullcontext
if settings.mode.endswith("bf16"):
    precision = lambda: torch.autocast("cpu", dtype=torch.bfloat16)


def forward(x, y):
    with precision():
        return loss_of(model(x), y)


if settings.mode.startswith("infer"):
    predict = model.eval()
    if settings.mode == "infer-compiled":
        predict = torch.compile(predict)
    with torch.inference_mode():
        timing.measure(settings, lambda index: predict(x[index]), loss_of=timing.uniform_loss)
    raise SystemExit

if settings.mode.startswith("compiled"):
    forward = torch.compile(forward)


def step(index):
    optimizer.zero_grad(set_to_none=True)
    loss = forward(x[index], y[index])
    loss.backward()
    optimizer.step()
    return loss.detach()


timing.measure(settings, step)
