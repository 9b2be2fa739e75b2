"""MiniCPM-V 4.6 as it is published, and the encoder of MiniCPM-V 4.0, with the layers' older names and a resampler, before a
decoder of four layers that is as wide as its own."""

from itertools import islice

import numpy as np
from gguf import GGMLQuantizationType as Type

from published import FILE_TYPES, NAME, decoder, of_chance, siglip_shapes, tokens, vision_kind, write
from vocabulary import CONTROL, NORMAL, Vocabulary, words

# SigLIP-so400m.
V_WIDTH, V_INNER, V_LAYERS, V_HEADS, V_PATCH, V_TABLE, V_VIEW = 1152, 4304, 27, 16, 14, 70, 448
VISION = {"image_size": V_VIEW, "patch_size": V_PATCH, "embedding_length": V_WIDTH, "feed_forward_length": V_INNER,
          "block_count": V_LAYERS, "attention.head_count": V_HEADS}

# Qwen3.5-0.8B: of four layers, three are gated delta nets and one is attention.
WIDTH, INNER, LAYERS, EACH = 1024, 3584, 24, 4
HEADS, KV_HEADS, HEAD, TURNED = 8, 2, 256, 64
DELTA_HEADS, STATE, TAPS = 16, 128, 4
VOCAB = 248_094
MARKERS = ["<image>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>"]
LAST = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|reserved_{i}|>" for i in range(7)), "<|vision_start|>",
        "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<think>", "</think>", *MARKERS, *(f"<|spare_{i}|>" for i in range(28))]


def write_text(path, flavour="q4_k_m"):
    """Qwen3.5-0.8B."""
    vocabulary = Vocabulary(VOCAB, [], LAST)
    at, value = vocabulary.tokens.index, DELTA_HEADS * STATE
    numbers = {"block_count": LAYERS, "context_length": 262_144, "embedding_length": WIDTH, "feed_forward_length": INNER,
               "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS, "attention.key_length": HEAD,
               "attention.value_length": HEAD, "rope.dimension_sections": [11, 11, 10, 0], "rope.dimension_count": TURNED,
               "ssm.conv_kernel": TAPS, "ssm.state_size": STATE, "ssm.group_count": DELTA_HEADS,
               "ssm.time_step_rank": DELTA_HEADS, "ssm.inner_size": value,
               "attention.recurrent_layers": [not is_attention(layer) for layer in range(LAYERS)], "full_attention_interval": EACH}
    values = {f"qwen35.{key}": value for key, value in numbers.items()} | tokens(vocabulary) | {
        "general.name": NAME + "MiniCPM-V 4.6", "general.file_type": FILE_TYPES[flavour],
        "tokenizer.ggml.eos_token_id": at("<|im_end|>"), "tokenizer.ggml.padding_token_id": at("<|endoftext|>")}
    weights = decoder(text_shapes(), flavour, LAYERS, vocabulary.silent)
    write(path, "minicpmv4_6/text.gguf", values, (recurrent(*weight) for weight in weights))


def is_attention(layer):
    return layer % EACH == EACH - 1


def text_shapes():
    """GGUF name -> shape, of Qwen3.5-0.8B; its output layer is the embedding table."""
    wide, narrow, value = HEADS * HEAD, KV_HEADS * HEAD, DELTA_HEADS * STATE
    attention = {"attn_k_norm.weight": (HEAD,), "attn_k.weight": (narrow, WIDTH), "attn_output.weight": (WIDTH, wide),
                 "attn_q_norm.weight": (HEAD,), "attn_q.weight": (2 * wide, WIDTH), "attn_v.weight": (narrow, WIDTH)}
    delta = {"ssm_a": (DELTA_HEADS,), "ssm_conv1d.weight": (3 * value, TAPS), "ssm_dt.bias": (DELTA_HEADS,),
             "ssm_alpha.weight": (DELTA_HEADS, WIDTH), "ssm_beta.weight": (DELTA_HEADS, WIDTH),
             "attn_qkv.weight": (3 * value, WIDTH), "attn_gate.weight": (value, WIDTH), "ssm_norm.weight": (STATE,),
             "ssm_out.weight": (WIDTH, value)}
    common = {"attn_norm.weight": (WIDTH,), "ffn_down.weight": (WIDTH, INNER), "ffn_gate.weight": (INNER, WIDTH),
              "ffn_up.weight": (INNER, WIDTH), "post_attention_norm.weight": (WIDTH,)}
    shapes = {"token_embd.weight": (VOCAB, WIDTH), "output_norm.weight": (WIDTH,)}
    for i in range(LAYERS):
        mixer = attention if is_attention(i) else delta
        shapes |= {f"blk.{i}.{name}": shape for name, shape in (common | mixer).items()}
    return shapes


def recurrent(name, array, kind):
    """What weights a state forgets by, and its inputs, must not be as small as others: as models begin."""
    if name.endswith("ssm_a"):
        array = -np.linspace(0.5, 8, DELTA_HEADS, dtype=np.float32)
    elif name.endswith("ssm_dt.bias"):
        array = array - np.float32(4)
    elif name.endswith("ssm_conv1d.weight"):
        array = array * np.float32(15)
    return name, array, kind


def write_vision(path):
    """The encoder of MiniCPM-V 4.6, which merges patches after its seventh layer."""
    values = {f"clip.vision.{key}": value for key, value in (VISION | {"projection_dim": WIDTH}).items()}
    values |= {"clip.vision.wa_layer_indexes": [6], "general.name": NAME + "MiniCPM-V 4.6", "general.file_type": FILE_TYPES["q8_0"]}
    four = 4 * V_WIDTH
    linear = {"mm.up": (four, four), "mm.down": (WIDTH, four), "v.vit_merger.ds_ffn_up": (4 * V_INNER, four),
              "v.vit_merger.ds_ffn_down": (V_WIDTH, 4 * V_INNER)}
    linear |= {f"v.vit_merger.attn_{part}": (V_WIDTH, V_WIDTH) for part in ("k", "out", "q", "v")}
    norms = {"mm.input_norm": four, "v.vit_merger.ln1": V_WIDTH, "v.vit_merger.ds_ln": four}
    shapes = siglip_shapes(V_WIDTH, V_INNER, V_LAYERS, V_PATCH, V_TABLE**2)
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()} | {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.{part}": (width,) for name, width in norms.items() for part in ("bias", "weight")}
    write(path, "minicpmv4_6/mmproj.gguf", values, of_chance(shapes, vision_kind))


# MiniCPM-V 4.0: the decoder is 2560 wide.
OLD_WIDTH, OLD_INNER, OLD_LAYERS, OLD_HEAD, OLD_KV_HEADS, OLD_VOCAB, QUERIES = 2560, 6400, 4, 128, 2, 73_448, 64
UNKNOWN, BYTE = 2, 6


def write_old_text(path, flavour="q4_k_m"):
    """A decoder of MiniCPM's kind with a SentencePiece vocabulary of the published size."""
    special, last = ["<unk>", "<s>", "</s>"], [*MARKERS, "<|im_start|>", "<|im_end|>"]
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    room = OLD_VOCAB - len(special) - len(alphabet) - len(last)
    pieces = ["▁", *islice(words("▁"), room - 1)]
    spelled = [*special, *alphabet, *pieces, *last]
    types = [CONTROL] * 3 + [BYTE] * 256 + [NORMAL] * len(pieces) + [CONTROL] * len(last)
    scores = [-1000.0] * 3 + [0.0] * 256 + [-float(rank) for rank in range(len(pieces))] + [-1000.0] * len(last)
    heads = OLD_WIDTH // OLD_HEAD
    numbers = {"block_count": OLD_LAYERS, "context_length": 32_768, "embedding_length": OLD_WIDTH, "feed_forward_length": OLD_INNER,
               "attention.head_count": heads, "attention.head_count_kv": OLD_KV_HEADS, "attention.key_length": OLD_HEAD,
               "attention.value_length": OLD_HEAD, "residual_scale": 1.4 / OLD_LAYERS**0.5, "logit_scale": 256 / OLD_WIDTH}
    values = {f"minicpm.{key}": value for key, value in numbers.items()} | {
        "general.name": NAME + "MiniCPM-V 4.0's encoder", "general.file_type": FILE_TYPES[flavour],
        "tokenizer.ggml.tokens": spelled, "tokenizer.ggml.token_type": types, "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.eos_token_id": spelled.index("<|im_end|>")}
    narrow = OLD_KV_HEADS * OLD_HEAD
    layer = {"attn_norm": (OLD_WIDTH,), "ffn_down": (OLD_WIDTH, OLD_INNER), "ffn_gate": (OLD_INNER, OLD_WIDTH),
             "ffn_up": (OLD_INNER, OLD_WIDTH), "ffn_norm": (OLD_WIDTH,), "attn_k": (narrow, OLD_WIDTH),
             "attn_output": (OLD_WIDTH, OLD_WIDTH), "attn_q": (OLD_WIDTH, OLD_WIDTH), "attn_v": (narrow, OLD_WIDTH)}
    shapes = {"token_embd.weight": (OLD_VOCAB, OLD_WIDTH), "output_norm.weight": (OLD_WIDTH,)}
    shapes |= {f"blk.{i}.{name}.weight": shape for i in range(OLD_LAYERS) for name, shape in layer.items()}
    silent = [id for id, kind in enumerate(types) if kind != NORMAL]
    write(path, "minicpmv-minicpm/text.gguf", values, decoder(shapes, flavour, OLD_LAYERS, silent))


def write_old_vision(path):
    """The encoder of MiniCPM-V 4.0 and its resampler, by the names that its own converter gives."""
    values = {f"clip.vision.{key}": value for key, value in VISION.items()}
    values |= {"clip.minicpmv_query_num": QUERIES, "general.file_type": FILE_TYPES["f16"]}
    square = (OLD_WIDTH, OLD_WIDTH)
    shapes = {"resampler.query": (QUERIES, OLD_WIDTH), "resampler.pos_embed_k": (V_TABLE**2, OLD_WIDTH),
              "resampler.proj.weight": square, "resampler.kv.weight": (OLD_WIDTH, V_WIDTH)}
    for part in ("q", "k", "v", "out"):
        shapes |= {f"resampler.attn.{part}.weight": square, f"resampler.attn.{part}.bias": square[:1]}
    for norm in ("ln_q", "ln_kv", "ln_post"):
        shapes |= {f"resampler.{norm}.weight": square[:1], f"resampler.{norm}.bias": square[:1]}
    shapes |= siglip_shapes(V_WIDTH, V_INNER, V_LAYERS, V_PATCH, V_TABLE**2, up="ffn_down", down="ffn_up")
    plain = ("resampler.query", "resampler.pos_embed_k")
    kind = lambda name, shape: Type.F32 if len(shape) == 1 or name in plain else Type.F16
    write(path, "minicpmv-minicpm/mmproj.gguf", values, of_chance(shapes, kind))
