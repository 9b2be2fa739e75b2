"""Files in the shape of published models. Keys, their order and their types are those that the public converter wrote for
the tiny model of the same family in `tests/fixtures/families`; numbers, vocabulary and weights are others."""

from pathlib import Path

from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType

from blocks import chance, fits

FIXTURES = Path(__file__).parents[2] / "tests/fixtures/families"
NAME = "Weights of chance in the shape of "
FILE_TYPES = {"f16": LlamaFileType.MOSTLY_F16, "q8_0": LlamaFileType.MOSTLY_Q8_0, "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M}


def write(path, fixture, values, tensors):
    """`values` take the place of the fixture's; `tensors` are pairs of a name and what is in it, bytes of blocks with their
    type."""
    fields = GGUFReader(FIXTURES / fixture).fields
    unknown = values.keys() - fields.keys()
    assert not unknown, f"{fixture} has no {unknown}"
    writer = GGUFWriter(path, fields["general.architecture"].contents())
    for key, field in fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.size_label"):
            continue
        of = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(key, values.get(key, field.contents()), field.types[0], of)
    for name, array, kind in tensors:
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def more_bits(layer, layers):
    """Which layers llama-quantize gives more bits: the first and last eighth, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def decoder(shapes, flavour, layers, silent):
    """The tensors of a decoder with the types that llama-quantize chooses; rows of the output layer are zero for tokens that are
    `silent`, never to be said. Where there is none, the embedding table is the output layer."""
    output = "output.weight" if "output.weight" in shapes else "token_embd.weight"

    def kind_of(name, shape):
        if len(shape) == 1 or "ssm_conv1d" in name:
            return Type.F32
        if flavour == "q8_0":
            return Type.Q8_0
        parts = name.split(".")
        delicate = parts[0] == "blk" and parts[2] in ("attn_v", "attn_qkv", "ffn_down") and more_bits(int(parts[1]), layers)
        wanted = [Type.Q6_K, Type.Q8_0] if delicate or name == output else [Type.Q4_K, Type.Q5_0]
        return next(kind for kind in wanted if fits(kind, shape[-1]))

    return of_chance(shapes, kind_of, {output: silent})


def vision_kind(name, shape):
    """The type of an encoder's tensor, as the converter chooses it for Q8_0."""
    if len(shape) == 1 or "position_embd" in name or "patch_embd" in name:
        return Type.F32
    return Type.Q8_0 if fits(Type.Q8_0, shape[-1]) else Type.F16


def of_chance(shapes, kind_of, silent=None):
    """Name, numbers and type of every tensor; `silent` names rows that are zero."""
    for name, shape in shapes.items():
        kind = kind_of(name, shape)
        yield name, chance(name, shape, kind, (silent or {}).get(name, ())), kind


def siglip_shapes(width, inner, layers, patch, positions, up="ffn_up", down="ffn_down"):
    """GGUF name -> shape of SigLIP's encoder; older converters called the layers of a feed-forward network the other way round."""
    shapes = {"v.patch_embd.bias": (width,), "v.patch_embd.weight": (width, 3, patch, patch),
              "v.position_embd.weight": (positions, width)}
    matrices = {up: (inner, width), down: (width, inner)} | {f"attn_{part}": (width, width) for part in ("k", "out", "q", "v")}
    for i in range(layers):
        for norm in ("ln1", "ln2"):
            shapes |= {f"v.blk.{i}.{norm}.{part}": (width,) for part in ("bias", "weight")}
        for name, shape in matrices.items():
            shapes |= {f"v.blk.{i}.{name}.bias": shape[:1], f"v.blk.{i}.{name}.weight": shape}
    return shapes | {"v.post_ln.bias": (width,), "v.post_ln.weight": (width,)}


def tokens(vocabulary):
    """What a byte-level vocabulary is in a file."""
    return {"tokenizer.ggml.tokens": vocabulary.tokens, "tokenizer.ggml.token_type": vocabulary.types,
            "tokenizer.ggml.merges": vocabulary.merges}
