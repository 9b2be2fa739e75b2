"""Q4_K and Q6_K, which the gguf package can read but not write. One pass of rounding, without llama.cpp's search for
better scales: the bytes are as many and as valid, the error a little larger."""

import numpy as np
from gguf import GGMLQuantizationType as Type

BLOCK = 256
KINDS = (Type.Q4_K, Type.Q6_K)


def quantize(array, kind):
    """`[..., columns]` of f32 -> `[..., bytes]`."""
    rows = array.reshape(-1, BLOCK)
    packed = (q4_k if kind == Type.Q4_K else q6_k)(rows)
    return packed.reshape(*array.shape[:-1], -1)


def bytes_of(half):
    return np.ascontiguousarray(half.astype(np.float16)).view(np.uint8)


def ratio(a, b):
    """a / b, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape), np.float32), where=b != 0)


def q6_k(x):
    """ql[128], qh[64], 16 int8 scales, f16: x = d · scale · (q − 32)."""
    x = x.reshape(-1, 16, 16)
    scale = np.abs(x).max(-1) / 31
    d = (scale.max(-1, keepdims=True) / 127).astype(np.float16).astype(np.float32)
    scale = np.round(ratio(scale, d)).astype(np.int8)
    q = np.round(ratio(x, (d * scale)[..., None])).clip(-32, 31).astype(np.int8) + 32
    # Two halves of 128; in each, four runs of 32 share their bytes.
    q = q.astype(np.uint8).reshape(-1, 2, 4, 32)
    low, high = q & 15, q >> 4
    ql = (low[:, :, :2] | low[:, :, 2:] << 4).reshape(-1, 128)
    qh = (high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6).reshape(-1, 64)
    return np.concatenate([ql, qh, scale.view(np.uint8), bytes_of(d)], -1)


def q4_k(x):
    """f16, f16, 12 bytes of eight 6-bit scales and minima, qs[128]: x = d · scale · q − dmin · min."""
    x = x.reshape(-1, 8, 32)
    low = np.minimum(x.min(-1), 0)
    scale, least = (x.max(-1).clip(0) - low) / 15, -low
    d, dmin = ((v.max(-1, keepdims=True) / 63).astype(np.float16).astype(np.float32) for v in (scale, least))
    sc, m = (np.round(ratio(v, w)).clip(0, 63).astype(np.uint8) for v, w in ((scale, d), (least, dmin)))
    q = np.round(ratio(x + (dmin * m)[..., None], (d * sc)[..., None])).clip(0, 15).astype(np.uint8)
    packed = np.concatenate(
        [sc[:, :4] | sc[:, 4:] >> 4 << 6, m[:, :4] | m[:, 4:] >> 4 << 6, sc[:, 4:] & 15 | (m[:, 4:] & 15) << 4], -1
    )
    q = q.reshape(-1, 4, 2, 32)
    return np.concatenate([bytes_of(d), bytes_of(dmin), packed, (q[:, :, 0] | q[:, :, 1] << 4).reshape(-1, 128)], -1)
