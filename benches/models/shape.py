"""The shape of SmolVLM-256M and weights of chance in it. Every file that make.py writes holds these same numbers."""

import zlib

import numpy as np

VOCAB, CONTEXT = 49_280, 8_192
WIDTH, LAYERS, HEADS, KV_HEADS, HEAD, INNER = 576, 30, 9, 3, 64, 1_536
ROPE_BASE, RMS_EPS = 100_000.0, 1e-5

IMAGE, PATCH, V_WIDTH, V_LAYERS, V_HEADS, V_INNER, V_EPS = 512, 16, 768, 12, 12, 3_072, 1e-6
PATCHES = (IMAGE // PATCH) ** 2
# Idefics3 folds 4 × 4 patches into one row and projects it; Loupe's resampler asks with as many queries.
FOLD = 4
ROWS = PATCHES // FOLD**2

SIGMA = 0.02


def chance(name, *shape):
    """Numbers of chance that depend on `name` alone: a norm's weights lie around 1, all others around 0."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    is_norm = name.endswith(".weight") and len(shape) == 1
    return 1 + np.float32(0.05) * noise if is_norm else np.float32(SIGMA) * noise


def text_shapes():
    """GGUF name -> shape, of the decoder."""
    wide, narrow = HEADS * HEAD, KV_HEADS * HEAD
    shapes = {"token_embd.weight": (VOCAB, WIDTH), "output_norm.weight": (WIDTH,), "output.weight": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        layer = {"attn_norm": (WIDTH,), "attn_q": (wide, WIDTH), "attn_k": (narrow, WIDTH), "attn_v": (narrow, WIDTH),
                 "attn_output": (WIDTH, wide), "ffn_norm": (WIDTH,), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH),
                 "ffn_down": (WIDTH, INNER)}
        shapes |= {f"blk.{i}.{name}.weight": shape for name, shape in layer.items()}
    return shapes


def vision_shapes():
    """GGUF name -> shape, of the ViT without a connector."""
    square = (V_WIDTH, V_WIDTH)
    shapes = {"v.patch_embd.weight": (V_WIDTH, 3, PATCH, PATCH), "v.patch_embd.bias": (V_WIDTH,),
              "v.position_embd.weight": (PATCHES, V_WIDTH), "v.post_ln.weight": (V_WIDTH,), "v.post_ln.bias": (V_WIDTH,)}
    for i in range(V_LAYERS):
        layer = {"ln1": (V_WIDTH,), "ln2": (V_WIDTH,), "attn_q": square, "attn_k": square, "attn_v": square,
                 "attn_out": square, "ffn_up": (V_INNER, V_WIDTH), "ffn_down": (V_WIDTH, V_INNER)}
        for name, shape in layer.items():
            shapes |= {f"v.blk.{i}.{name}.weight": shape, f"v.blk.{i}.{name}.bias": shape[:1]}
    return shapes


def fold_shapes():
    """GGUF name -> shape, of Idefics3's connector."""
    return {"mm.model.fc.weight": (WIDTH, V_WIDTH * FOLD**2)}


def resampler_shapes():
    """GGUF name -> shape, of Loupe's connector."""
    shapes = {"resampler.query": (ROWS, WIDTH), "resampler.kv.weight": (WIDTH, V_WIDTH), "resampler.proj.weight": (WIDTH, WIDTH)}
    for name in ("q", "k", "v", "out"):
        shapes |= {f"resampler.attn.{name}.weight": (WIDTH, WIDTH), f"resampler.attn.{name}.bias": (WIDTH,)}
    for name in ("ln_q", "ln_kv", "ln_post"):
        shapes |= {f"resampler.{name}.weight": (WIDTH,), f"resampler.{name}.bias": (WIDTH,)}
    return shapes
