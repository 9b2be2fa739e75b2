"""Random weights in which nothing is zero, one or repeated, so that a swapped, missing or transposed tensor shows.

A tensor's numbers depend on the seed and on its name alone: adding a layer changes no other."""

import hashlib

import numpy as np
import torch

# These compute x̂·(1 + w): for a scale around 1 the weight is around 0.
ZERO_CENTRED = ("Qwen3_5RMSNorm",)
SHARPENED = ("q_norm", "k_norm", "q_layernorm", "k_layernorm")
# What a matrix does to a row's length, about. A little above 1, layers say something new: answers are not one token repeated.
GAIN = 1.4


def numbers(seed, name):
    return np.random.default_rng(np.frombuffer(hashlib.sha256(f"{seed}/{name}".encode()).digest(), np.uint32))


def drawn(path, kind, leaf, shape, rng):
    """One parameter called `leaf` of the module at `path`, of class `kind`."""
    draw = rng.standard_normal(shape)
    if leaf == "A_log":
        return rng.uniform(-5, 0, shape)  # a memory of some tokens to some hundreds
    if "Norm" in kind and leaf == "weight":
        # Queries and keys are longer, as trained ones are: attention that looks at everything alike hides what it looks at.
        return 0.2 * draw + (kind not in ZERO_CENTRED) + path.endswith(SHARPENED)
    if "Embedding" in kind and "patch" not in leaf:
        return 0.5 * draw
    if len(shape) == 1:
        return 0.2 * draw
    return GAIN * draw / np.sqrt(np.prod(shape[1:]))


@torch.no_grad()
def randomise(model, seed, halves=False):
    """Fills every parameter; `halves` keeps matrices to numbers that f16 holds, for files of that type."""
    for path, module in model.named_modules():
        for leaf, tensor in module.named_parameters(recurse=False):
            value = drawn(path, type(module).__name__, leaf, tuple(tensor.shape), numbers(seed, f"{path}.{leaf}"))
            value = torch.from_numpy(np.asarray(value, np.float32))
            tensor.copy_(value.half().float() if halves and value.ndim > 1 else value)
