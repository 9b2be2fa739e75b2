"""The same network for ONNX Runtime: written node by node in the form of the exports that transformers.js loads
(fused attention, last position's logits only), in fp32 and quantised as its `q8`."""

import logging

import numpy as np
import onnx
from gguf_files import text_weight
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

import shape as s

MICROSOFT = "com.microsoft"
# The quantiser advises a step of preparation that has nothing to do for a graph written like this.
logging.getLogger().setLevel(logging.ERROR)
FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


class Graph:
    """Nodes and weights as they come; a value is its name."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def weight(self, name, array):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, *inputs, out=None, domain="", **attributes):
        outputs = out if isinstance(out, list) else [out or f"n{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, domain=domain, **attributes))
        return outputs[0]

    def ints(self, name, *values):
        return self.weight(name, np.array(values, np.int64))

    def save(self, path, inputs, outputs):
        infos = [[helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, "shape", *infos, self.weights)
        sets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=9), path)


def write_vision(path):
    """Pixels `[1, 3, 512, 512]` to rows `[1, 64, 576]`, with Idefics3's connector."""
    g, side, fold, shapes = Graph(), s.IMAGE // s.PATCH, s.FOLD, s.vision_shapes() | s.fold_shapes()
    load = lambda name: g.weight(name, s.chance(name, *shapes[name]))
    norm = lambda x, name: g.op("LayerNormalization", x, load(name + ".weight"), load(name + ".bias"), axis=-1, epsilon=s.V_EPS)

    def linear(x, name):
        matrix = g.weight(name + ".weight", s.chance(name + ".weight", *shapes[name + ".weight"]).T)
        return g.op("Add", g.op("MatMul", x, matrix), load(name + ".bias"))

    x = g.op("Conv", "pixel_values", load("v.patch_embd.weight"), load("v.patch_embd.bias"),
             strides=[s.PATCH] * 2, kernel_shape=[s.PATCH] * 2)
    x = g.op("Transpose", g.op("Reshape", x, g.ints("flat", 1, s.V_WIDTH, s.PATCHES)), perm=[0, 2, 1])
    x = g.op("Add", x, load("v.position_embd.weight"))
    for i in range(s.V_LAYERS):
        b = f"v.blk.{i}."
        h = norm(x, b + "ln1")
        a = g.op("MultiHeadAttention", *(linear(h, b + f"attn_{c}") for c in "qkv"), domain=MICROSOFT, num_heads=s.V_HEADS)
        x = g.op("Add", x, linear(a, b + "attn_out"))
        h = g.op("Gelu", linear(norm(x, b + "ln2"), b + "ffn_up"), approximate="tanh")
        x = g.op("Add", x, linear(h, b + "ffn_down"))
    x = norm(x, "v.post_ln")
    # Pixel shuffle: fold × fold neighbours become one row.
    x = g.op("Reshape", x, g.ints("fold.1", 1, side, side // fold, s.V_WIDTH * fold))
    folded = g.ints("fold.2", 1, side // fold, side // fold, s.V_WIDTH * fold**2)
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3]), folded)
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3]), g.ints("fold.3", 1, s.ROWS, s.V_WIDTH * fold**2))
    name = "mm.model.fc.weight"
    g.op("MatMul", x, g.weight(name, s.chance(name, *shapes[name]).T), out="rows")
    g.save(path, [("pixel_values", FLOAT, [1, 3, s.IMAGE, s.IMAGE])], [("rows", FLOAT, [1, s.ROWS, s.WIDTH])])


def halves_from_pairs(weight, heads):
    """Rows of a query or key matrix from GGUF's rotary pairing (neighbours) to ONNX's (halves)."""
    return weight.reshape(heads, s.HEAD // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write_text(path):
    """Token ids and a cache to the logits of the last position and the longer cache."""
    g, shapes = Graph(), s.text_shapes()
    load = lambda name: text_weight(name, shapes[name])
    norm = lambda x, name: g.op("SimplifiedLayerNormalization", x, g.weight(name, load(name)), axis=-1, epsilon=s.RMS_EPS)
    heads = {"attn_q.weight": s.HEADS, "attn_k.weight": s.KV_HEADS}

    def linear(x, name, out=None):
        turned = next((n for part, n in heads.items() if name.endswith(part)), None)
        weight = halves_from_pairs(load(name), turned) if turned else load(name)
        return g.op("MatMul", x, g.weight(name, weight.T), out=out)

    angles = np.outer(np.arange(s.CONTEXT), s.ROPE_BASE ** (-np.arange(0, s.HEAD, 2) / s.HEAD)).astype(np.float32)
    cos, sin = g.weight("cos", np.cos(angles)), g.weight("sin", np.sin(angles))
    one = g.ints("one", 1)
    last = g.op("Cast", g.op("Sub", g.op("ReduceSum", "attention_mask", one, keepdims=0), one), to=INT32)
    total = g.op("Cast", g.op("Gather", g.op("Shape", "attention_mask"), g.weight("1", np.array(1, np.int64))), to=INT32)
    inputs = [("input_ids", INT64, [1, "new"]), ("attention_mask", INT64, [1, "all"])]
    outputs = [("logits", FLOAT, [1, 1, s.VOCAB])]
    x = g.op("Gather", g.weight("token_embd.weight", load("token_embd.weight")), "input_ids")
    for i in range(s.LAYERS):
        b = f"blk.{i}."
        h = norm(x, b + "attn_norm.weight")
        q, k, v = (linear(h, b + f"attn_{c}.weight") for c in "qkv")
        past, present = ([f"{when}.{i}.{what}" for what in ("key", "value")] for when in ("past", "present"))
        a = g.op("GroupQueryAttention", q, k, v, *past, last, total, cos, sin, out=[f"attention.{i}", *present], domain=MICROSOFT,
                 num_heads=s.HEADS, kv_num_heads=s.KV_HEADS, do_rotary=1, rotary_interleaved=0, scale=s.HEAD**-0.5)
        inputs += [(name, FLOAT, [1, s.KV_HEADS, "before", s.HEAD]) for name in past]
        outputs += [(name, FLOAT, [1, s.KV_HEADS, "all", s.HEAD]) for name in present]
        x = g.op("Add", x, linear(a, b + "attn_output.weight"))
        h = norm(x, b + "ffn_norm.weight")
        gate, up = linear(h, b + "ffn_gate.weight"), linear(h, b + "ffn_up.weight")
        h = g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), up)
        x = g.op("Add", x, linear(h, b + "ffn_down.weight"))
    x = norm(x, "output_norm.weight")
    x = g.op("Slice", x, g.ints("from", -1), g.ints("to", 1 << 40), one)
    linear(x, "output.weight", out="logits")
    g.save(path, inputs, outputs)


def write_q8(source, path):
    """What transformers.js calls q8: weights int8, activations quantised as they come (MatMulInteger)."""
    quantize_dynamic(source, path, weight_type=QuantType.QInt8 if "text" in source.name else QuantType.QUInt8,
                     op_types_to_quantize=["MatMul", "Gather"], extra_options={"DefaultTensorType": FLOAT, "MatMulConstBOnly": True})
