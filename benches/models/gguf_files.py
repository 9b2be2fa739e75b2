"""The GGUF files: the decoder, and the ViT twice, with Idefics3's connector and with Loupe's."""

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, LlamaFileType
from gguf.quants import quantize as quantize_simple

import k_quants
import shape as s
from vocabulary import CHAT_TEMPLATE, END, Vocabulary

FILE_TYPES = {"q8_0": LlamaFileType.MOSTLY_Q8_0, "q4_0": LlamaFileType.MOSTLY_Q4_0, "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M}


def quantize(array, kind):
    return k_quants.quantize(array, kind) if kind in k_quants.KINDS else quantize_simple(array, kind)


def matrix_type(name, columns, flavour):
    """The type of a matrix of the decoder, as `llama-quantize` chooses it."""
    if flavour != "q4_k_m":
        # Q4_0 files hold the output layer in Q6_K, or in Q8_0 where its rows are no multiple of 256.
        return Type.Q8_0 if flavour == "q8_0" or name == "output.weight" else Type.Q4_0
    part = name.split(".")
    layer = int(part[1]) if part[0] == "blk" else None
    eighth = s.LAYERS // 8
    first_or_last = layer is not None and (layer < eighth or layer >= 7 * s.LAYERS // 8 or (layer - eighth) % 3 == 2)
    better = name == "output.weight" or (first_or_last and part[2] in ("attn_v", "ffn_down"))
    if columns % k_quants.BLOCK == 0:
        return Type.Q6_K if better else Type.Q4_K
    return Type.Q8_0 if better else Type.Q5_0


def put(writer, name, array, kind):
    writer.add_tensor(name, quantize(array, kind), raw_dtype=kind)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def head(path, kind, flavour):
    g = GGUFWriter(path, "clip" if kind == "mmproj" else "llama")
    g.add_type(kind)
    g.add_name("Weights of chance in the shape of SmolVLM-256M")
    g.add_file_type(FILE_TYPES[flavour])
    return g


def write_text(path, flavour):
    g, vocabulary = head(path, "model", flavour), Vocabulary()
    g.add_vocab_size(s.VOCAB)
    g.add_context_length(s.CONTEXT)
    g.add_embedding_length(s.WIDTH)
    g.add_block_count(s.LAYERS)
    g.add_feed_forward_length(s.INNER)
    g.add_head_count(s.HEADS)
    g.add_head_count_kv(s.KV_HEADS)
    g.add_layer_norm_rms_eps(s.RMS_EPS)
    g.add_rope_dimension_count(s.HEAD)
    g.add_rope_freq_base(s.ROPE_BASE)
    g.add_tokenizer_model("gpt2")
    g.add_tokenizer_pre("smollm")
    g.add_token_list(vocabulary.tokens)
    g.add_token_types(vocabulary.types)
    g.add_token_merges(vocabulary.merges)
    g.add_bos_token_id(END)
    g.add_eos_token_id(END)
    g.add_add_bos_token(False)
    g.add_chat_template(CHAT_TEMPLATE)
    for name, size in s.text_shapes().items():
        kind = Type.F32 if len(size) == 1 else matrix_type(name, size[-1], flavour)
        put(g, name, text_weight(name, size), kind)
    finish(g)


def text_weight(name, size):
    """A decoder's weight; the rows of the output layer are zero for tokens that shall not be said."""
    weight = s.chance(name, *size)
    return weight * np.array(Vocabulary().said, np.float32)[:, None] if name == "output.weight" else weight


def write_vision(path, connector):
    """The ViT in Q8_0; `connector` is `idefics3` (what wllama reads) or `resampler` (what Loupe reads)."""
    g = head(path, "mmproj", "q8_0")
    g.add_bool("clip.has_vision_encoder", True)
    g.add_bool("clip.use_gelu", True)
    g.add_string("clip.projector_type", connector)
    numbers = {"image_size": s.IMAGE, "patch_size": s.PATCH, "embedding_length": s.V_WIDTH, "feed_forward_length": s.V_INNER,
               "block_count": s.V_LAYERS, "projection_dim": s.WIDTH, "attention.head_count": s.V_HEADS}
    for key, value in numbers.items():
        g.add_uint32("clip.vision." + key, value)
    g.add_float32("clip.vision.attention.layer_norm_epsilon", s.V_EPS)
    g.add_array("clip.vision.image_mean", [0.5] * 3)
    g.add_array("clip.vision.image_std", [0.5] * 3)
    if connector == "idefics3":
        g.add_uint32("clip.vision.projector.scale_factor", s.FOLD)
        g.add_uint32("clip.vision.preproc_image_size", s.IMAGE)
        shapes = s.vision_shapes() | s.fold_shapes()
    else:
        loupe_keys(g)
        shapes = s.vision_shapes() | s.resampler_shapes()
    for name, size in shapes.items():
        put(g, name, s.chance(name, *size), vision_type(name, size))
    finish(g)


def loupe_keys(g):
    """Views of 512² and 64 queries; a picture of 512 × 512 is one view."""
    g.add_uint32("clip.minicpmv_query_num", s.ROWS)
    for key, value in {"preset": "uhd-v1", "round": "floor"}.items():
        g.add_string("loupe.slicing." + key, value)
    for key, value in {"area_side": s.IMAGE, "align": s.PATCH, "max_slices": 4}.items():
        g.add_uint32("loupe.slicing." + key, value)
    g.add_string("loupe.positions", "interpolate-bicubic")
    g.add_uint32("loupe.resampler.head_count", s.WIDTH // s.HEAD)
    g.add_uint32("loupe.resampler.extent", s.IMAGE // s.PATCH)
    g.add_bool("loupe.resampler.query_positions", True)
    for key, value in {"column_separator": ",", "row_separator": "\n", "overview": "last"}.items():
        g.add_string("loupe.schema." + key, value)


def vision_type(name, size):
    if name == "v.patch_embd.weight":
        return Type.F16
    plain = len(size) == 1 or name in ("v.position_embd.weight", "resampler.query")
    return Type.F32 if plain else Type.Q8_0
