"""Weights of chance as they lie in files: the codes of a block are random bits and its scales constants, so that a gigabyte
takes seconds and is the same each time. Their standard deviation is `SIGMA`, as that of the weights that are quantised."""

import zlib

import numpy as np
from gguf import GGMLQuantizationType as Type

from shape import SIGMA

PLAIN = {Type.F32: np.float32, Type.F16: np.float16}


def halves(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def q8_0(blocks):
    """f16, 32 codes: x = d · code."""
    blocks[:, :2] = halves(SIGMA / 74)
    return [slice(0, 2)]


def q5_0(blocks):
    """f16, 4 bytes of high bits, 16 of low ones: x = d · (code − 16)."""
    blocks[:, :2] = halves(SIGMA / 9.2)
    return [slice(0, 2)]


def q4_k(blocks):
    """f16, f16, 12 bytes of eight scales and minima, codes: x = d · scale · code − dmin · min, scale and min 32, dmin = 7.5 d."""
    d = SIGMA / 4.6 / 32
    blocks[:, :2], blocks[:, 2:4] = halves(d), halves(7.5 * d)
    blocks[:, 4:12], blocks[:, 12:16] = 32 & 63 | 32 >> 4 << 6, 0
    return [slice(0, 4)]


def q6_k(blocks):
    """Codes in 192 bytes, 16 int8 scales, f16: x = d · scale · (code − 32), scale 8."""
    blocks[:, 192:208], blocks[:, 208:210] = 8, halves(SIGMA / 18.5 / 8)
    return [slice(208, 210)]


# Type -> weights of a block, its bytes, and what puts the scales in and says where they lie.
KINDS = {Type.Q8_0: (32, 34, q8_0), Type.Q5_0: (32, 22, q5_0), Type.Q4_K: (256, 144, q4_k), Type.Q6_K: (256, 210, q6_k)}


def fits(kind, columns):
    return kind in PLAIN or columns % KINDS[kind][0] == 0


def chance(name, shape, kind, silent=()):
    """The bytes `[rows, bytes]` of a matrix of blocks, or the numbers of one of floats. The rows `silent` are zero."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if kind in PLAIN:
        noise = random.standard_normal(shape, dtype=np.float32)
        norm = name.endswith("norm.weight") or len(shape) == 1 and name.endswith(".weight")
        return (1 + np.float32(0.05) * noise if norm else np.float32(SIGMA) * noise).astype(PLAIN[kind])
    weights, size, put_scales = KINDS[kind]
    rows, columns = shape
    blocks = np.frombuffer(bytearray(random.bytes(rows * columns // weights * size)), np.uint8).reshape(-1, size)
    scales = put_scales(blocks)
    if len(silent):
        of_rows = blocks.reshape(rows, -1, size)
        for part in scales:
            of_rows[silent, :, part] = 0
    return blocks.reshape(rows, -1)
