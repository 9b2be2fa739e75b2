"""Reads a GGUF pair back into the PyTorch model, dequantised to f32: what the runtime should compute, from what it reads."""

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize

from model import Form, Model


def field(reader, key):
    return reader.fields[key].contents()


def tensors(reader):
    out = {}
    for t in reader.tensors:
        shape = [int(n) for n in reversed(t.shape)]
        out[t.name] = torch.from_numpy(np.array(dequantize(t.data, t.tensor_type), np.float32).reshape(shape))
    return out


def form_of(text, vision):
    t, v = (lambda k: field(text, "llama." + k)), (lambda k: field(vision, "clip.vision." + k))
    return Form(
        area_side=v("image_size"), patch=v("patch_size"), max_slices=field(vision, "loupe.slicing.max_slices"),
        vision_width=v("embedding_length"), vision_layers=v("block_count"), vision_heads=v("attention.head_count"),
        vision_hidden=v("feed_forward_length"), side_queries=round(field(vision, "clip.minicpmv_query_num") ** 0.5),
        resampler_heads=field(vision, "loupe.resampler.head_count"), width=t("embedding_length"), layers=t("block_count"),
        heads=t("attention.head_count"), hidden=t("feed_forward_length"), vocab=t("vocab_size"), context=t("context_length"),
        theta=t("rope.freq_base"), layer_norm_eps=v("attention.layer_norm_epsilon"), rms_norm_eps=t("attention.layer_norm_rms_epsilon"),
    )


def weights_of(form, t, v):
    """The parameters of `Model` from the tensors of both files."""
    w = {"embedding": t["token_embd.weight"], "output_norm": t["output_norm.weight"], "position": v["v.position_embd.weight"]}
    w |= {"patch.weight": v["v.patch_embd.weight"].flatten(1), "patch.bias": v["v.patch_embd.bias"]}
    w |= {"resampler.query": v["resampler.query"], "resampler.kv.weight": v["resampler.kv.weight"], "resampler.proj.weight": v["resampler.proj.weight"]}
    for i in range(form.layers):
        b, g = f"decoder.{i}.", f"blk.{i}."
        w |= {b + "attn_norm": t[g + "attn_norm.weight"], b + "ffn_norm": t[g + "ffn_norm.weight"]}
        w[b + "qkv.weight"] = torch.cat([t[f"{g}attn_{x}.weight"] for x in "qkv"])
        w[b + "gate_up.weight"] = torch.cat([t[f"{g}ffn_{x}.weight"] for x in ("gate", "up")])
        w |= {b + "out.weight": t[g + "attn_output.weight"], b + "down.weight": t[g + "ffn_down.weight"]}
    names = {"ln1": "ln1", "ln2": "ln2", "out": "attn_out", "up": "ffn_up", "down": "ffn_down"}
    for part in ("weight", "bias"):
        w["post_ln." + part] = v["v.post_ln." + part]
        for i in range(form.vision_layers):
            for ours, theirs in names.items():
                w[f"vision.{i}.{ours}.{part}"] = v[f"v.blk.{i}.{theirs}.{part}"]
            w[f"vision.{i}.qkv.{part}"] = torch.cat([v[f"v.blk.{i}.attn_{x}.{part}"] for x in "qkv"])
        for name in ("q", "k", "v", "out"):
            w[f"resampler.{name}.{part}"] = v[f"resampler.attn.{name}.{part}"]
        for name in ("ln_q", "ln_kv", "ln_post"):
            w[f"resampler.{name}.{part}"] = v[f"resampler.{name}.{part}"]
    return w


def read_pair(text_path, vision_path):
    """-> Model in f32 with the files' (dequantised) weights."""
    text, vision = GGUFReader(text_path), GGUFReader(vision_path)
    if field(text, "loupe.pair") != field(vision, "loupe.pair"):
        raise ValueError("these two files are not a pair")
    model = Model(form_of(text, vision))
    model.load_state_dict(weights_of(model.form, tensors(text), tensors(vision)))
    return model.eval()
