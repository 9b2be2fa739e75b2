"""Writes a trained model as the pair of GGUF files that the runtime reads: the language model and its mmproj."""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
from gguf.quants import quantize

from model import Form
from tokenizer import CHAT_TEMPLATE, SPECIALS, Tokenizer

MATRICES = {  # flavour -> type of the matrices, value of general.file_type
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
}


def text_tensors(form, w):
    """GGUF name -> array, of the decoder."""
    out = {"token_embd.weight": w["embedding"], "output_norm.weight": w["output_norm"]}
    for i in range(form.layers):
        b, g = f"decoder.{i}.", f"blk.{i}."
        q, k, v = w[b + "qkv.weight"].split(form.width)
        gate, up = w[b + "gate_up.weight"].split(form.hidden)
        out |= {g + "attn_norm.weight": w[b + "attn_norm"], g + "ffn_norm.weight": w[b + "ffn_norm"]}
        out |= {g + "attn_q.weight": q, g + "attn_k.weight": k, g + "attn_v.weight": v, g + "attn_output.weight": w[b + "out.weight"]}
        out |= {g + "ffn_gate.weight": gate, g + "ffn_up.weight": up, g + "ffn_down.weight": w[b + "down.weight"]}
    return out


def vision_tensors(form, w):
    """GGUF name -> array, of the ViT and the resampler."""
    p = form.patch
    out = {"v.patch_embd.weight": w["patch.weight"].view(-1, 3, p, p), "v.patch_embd.bias": w["patch.bias"]}
    out |= {"v.position_embd.weight": w["position"], "v.post_ln.weight": w["post_ln.weight"], "v.post_ln.bias": w["post_ln.bias"]}
    names = {"ln1": "ln1", "ln2": "ln2", "out": "attn_out", "up": "ffn_up", "down": "ffn_down"}
    for i in range(form.vision_layers):
        for part in ("weight", "bias"):
            for ours, theirs in names.items():
                out[f"v.blk.{i}.{theirs}.{part}"] = w[f"vision.{i}.{ours}.{part}"]
            for letter, t in zip("qkv", w[f"vision.{i}.qkv.{part}"].split(form.vision_width)):
                out[f"v.blk.{i}.attn_{letter}.{part}"] = t
    out |= {"resampler.query": w["resampler.query"], "resampler.kv.weight": w["resampler.kv.weight"], "resampler.proj.weight": w["resampler.proj.weight"]}
    for part in ("weight", "bias"):
        for name in ("q", "k", "v", "out"):
            out[f"resampler.attn.{name}.{part}"] = w[f"resampler.{name}.{part}"]
        for name in ("ln_q", "ln_kv", "ln_post"):
            out[f"resampler.{name}.{part}"] = w[f"resampler.{name}.{part}"]
    return out


def stored_type(name, array, matrices):
    """The patch embedding is F16 and all that is no matrix F32, whatever the matrices are."""
    if name == "v.patch_embd.weight":
        return GGMLQuantizationType.F32 if matrices == GGMLQuantizationType.F32 else GGMLQuantizationType.F16
    plain = array.ndim == 1 or name in ("v.position_embd.weight", "resampler.query")
    return GGMLQuantizationType.F32 if plain else matrices


def write_tensors(writer, tensors, matrices):
    for name, t in tensors.items():
        array = np.ascontiguousarray(t.detach().float().numpy())
        kind = stored_type(name, array, matrices)
        writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def pair_id(weights):
    """What both files of a pair carry: a hash of the trained weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def write_text(path, form, tokenizer, tensors, flavour, name, pair):
    matrices, file_type = MATRICES[flavour]
    g = GGUFWriter(path, "llama")
    g.add_type("model")
    g.add_name(name)
    g.add_license("MIT OR Apache-2.0")
    g.add_file_type(file_type)
    g.add_vocab_size(form.vocab)
    g.add_context_length(form.context)
    g.add_embedding_length(form.width)
    g.add_block_count(form.layers)
    g.add_feed_forward_length(form.hidden)
    g.add_head_count(form.heads)
    g.add_head_count_kv(form.heads)
    g.add_layer_norm_rms_eps(form.rms_norm_eps)
    g.add_rope_dimension_count(form.width // form.heads)
    g.add_rope_freq_base(form.theta)
    g.add_tokenizer_model("gpt2")
    g.add_tokenizer_pre("gpt-2")
    g.add_token_list(tokenizer.tokens)
    g.add_token_types([3 if t in SPECIALS else 1 for t in tokenizer.tokens])
    g.add_token_merges(tokenizer.merges)
    g.add_eos_token_id(tokenizer.end)
    g.add_add_bos_token(False)
    g.add_chat_template(CHAT_TEMPLATE)
    g.add_string("loupe.pair", pair)
    write_tensors(g, tensors, matrices)


def write_vision(path, form, tensors, flavour, name, pair):
    matrices, file_type = MATRICES[flavour]
    g = GGUFWriter(path, "clip")
    g.add_type("mmproj")
    g.add_name(name)
    g.add_license("MIT OR Apache-2.0")
    g.add_file_type(file_type)
    g.add_bool("clip.has_vision_encoder", True)
    g.add_string("clip.projector_type", "resampler")
    g.add_bool("clip.use_gelu", True)
    numbers = {"image_size": form.area_side, "patch_size": form.patch, "embedding_length": form.vision_width,
               "feed_forward_length": form.vision_hidden, "block_count": form.vision_layers, "projection_dim": form.width,
               "attention.head_count": form.vision_heads}
    for key, value in numbers.items():
        g.add_uint32("clip.vision." + key, value)
    g.add_float32("clip.vision.attention.layer_norm_epsilon", form.layer_norm_eps)
    g.add_array("clip.vision.image_mean", [0.5] * 3)
    g.add_array("clip.vision.image_std", [0.5] * 3)
    g.add_uint32("clip.minicpmv_query_num", form.side_queries**2)
    for key, value in {"preset": "uhd-v1", "round": "floor"}.items():
        g.add_string("loupe.slicing." + key, value)
    for key, value in {"area_side": form.area_side, "align": form.patch, "max_slices": form.max_slices}.items():
        g.add_uint32("loupe.slicing." + key, value)
    g.add_string("loupe.positions", "interpolate-bicubic")
    g.add_uint32("loupe.resampler.head_count", form.resampler_heads)
    g.add_uint32("loupe.resampler.extent", form.extent)
    g.add_bool("loupe.resampler.query_positions", True)
    for key, value in {"column_separator": ",", "row_separator": "\n", "overview": "last"}.items():
        g.add_string("loupe.schema." + key, value)
    g.add_string("loupe.pair", pair)
    write_tensors(g, tensors, matrices)


def write_pair(folder, form, tokenizer, weights, flavour, stem, name):
    """`weights`: parameter name -> f32 tensor. Writes STEM-FLAVOUR.gguf and mmproj-STEM-FLAVOUR.gguf."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text, vision = text_tensors(form, weights), vision_tensors(form, weights)
    pair = pair_id({**text, **vision})
    write_text(folder / f"{stem}-{flavour}.gguf", form, tokenizer, text, flavour, name, pair)
    write_vision(folder / f"mmproj-{stem}-{flavour}.gguf", form, vision, flavour, name, pair)
    return pair


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("checkpoint", type=Path)
    p.add_argument("folder", type=Path)
    p.add_argument("--tokenizer", type=Path, required=True)
    p.add_argument("--flavour", choices=MATRICES, default="q8_0")
    o = p.parse_args()
    import json

    state = torch.load(o.checkpoint, weights_only=False, map_location="cpu")
    form = Form(**json.loads(state["form"]))
    pair = write_pair(o.folder, form, Tokenizer.load(o.tokenizer), state["optimiser"]["master"], o.flavour, "loupe-base", "Loupe base")
    print(f"{state['pictures']} pictures, pair {pair}")
