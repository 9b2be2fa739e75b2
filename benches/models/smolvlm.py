"""SmolVLM-256M as it is published: Idefics3's connector, pictures of up to 4 × 4 tiles and an overview, the template."""

import shape as s
from published import FILE_TYPES, NAME, decoder, of_chance, siglip_shapes, tokens, vision_kind, write
from vocabulary import Vocabulary

# Where the published vocabulary has them: seventeen before the bytes, the pictures' at the end, some of them reserved.
FIRST = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<first_{i}>" for i in range(14))]
PLACES = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
LAST = ["<global-img>", *PLACES, "<fake_token_around_image>", "<image>", *(f"<|reserved_special_token_{i}|>" for i in range(88)),
        "<end_of_utterance>"]
MODEL = NAME + "SmolVLM-256M"


def write_text(path, flavour):
    vocabulary = Vocabulary(s.VOCAB, FIRST, LAST)
    at = vocabulary.tokens.index
    numbers = {"block_count": s.LAYERS, "context_length": s.CONTEXT, "embedding_length": s.WIDTH, "feed_forward_length": s.INNER,
               "attention.head_count": s.HEADS, "attention.head_count_kv": s.KV_HEADS, "rope.freq_base": s.ROPE_BASE,
               "attention.layer_norm_rms_epsilon": s.RMS_EPS, "attention.key_length": s.HEAD, "attention.value_length": s.HEAD,
               "vocab_size": s.VOCAB, "rope.dimension_count": s.HEAD}
    values = {f"llama.{key}": value for key, value in numbers.items()} | tokens(vocabulary) | {
        "general.name": MODEL, "general.file_type": FILE_TYPES[flavour], "tokenizer.ggml.bos_token_id": at("<|im_start|>"),
        "tokenizer.ggml.eos_token_id": at("<end_of_utterance>"), "tokenizer.ggml.unknown_token_id": at("<|endoftext|>"),
        "tokenizer.ggml.padding_token_id": at("<|im_end|>")}
    write(path, "smolvlm/text.gguf", values, decoder(s.text_shapes(), flavour, s.LAYERS, vocabulary.silent))


def write_vision(path):
    numbers = {"projection_dim": s.WIDTH, "image_size": s.IMAGE, "patch_size": s.PATCH, "embedding_length": s.V_WIDTH,
               "feed_forward_length": s.V_INNER, "block_count": s.V_LAYERS, "attention.head_count": s.V_HEADS,
               "projector.scale_factor": s.FOLD, "preproc_image_size": 2048}
    values = {f"clip.vision.{key}": value for key, value in numbers.items()}
    values |= {"general.name": MODEL, "general.file_type": FILE_TYPES["q8_0"]}
    shapes = s.fold_shapes() | siglip_shapes(s.V_WIDTH, s.V_INNER, s.V_LAYERS, s.PATCH, s.PATCHES)
    write(path, "smolvlm/mmproj.gguf", values, of_chance(shapes, vision_kind))
