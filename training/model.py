"""The built-in model: a ViT whose position table is interpolated to every view, a resampler, a Llama-type decoder.

Its form is that of the two GGUF files which `export.py` writes; every number is in `Form`."""

import json
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

import ops


@dataclass
class Form:
    """Every size of the model. `vocab` is set from the tokenizer."""

    area_side: int = 112
    patch: int = 14
    max_slices: int = 4
    vision_width: int = 192
    vision_layers: int = 6
    vision_heads: int = 4
    vision_hidden: int = 576
    side_queries: int = 4  # queries of a view: side_queries²
    resampler_heads: int = 4
    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 640
    vocab: int = 512
    context: int = 1024
    theta: float = 10000.0
    layer_norm_eps: float = 1e-6
    rms_norm_eps: float = 1e-5

    @property
    def extent(self):
        """Side of the learned position table, and of the square on which the resampler's positions lie."""
        return self.area_side // self.patch

    def json(self):
        return json.dumps(asdict(self))


def sincos(yx, width):
    """Coordinates [n, 2] (row, column) -> [n, width]: the column in the first half, the row in the second; sines, then cosines."""
    n = width // 4
    omega = 10000.0 ** (-torch.arange(n) / n)
    halves = [yx[:, axis : axis + 1] * omega for axis in (1, 0)]
    return torch.cat([f(h) for h in halves for f in (torch.sin, torch.cos)], 1)


def cell_centres(rows, cols, extent):
    """Centres of a rows×cols grid stretched over the extent×extent square, row-major [rows·cols, 2]."""
    y = (torch.arange(rows) + 0.5) * extent / rows - 0.5
    x = (torch.arange(cols) + 0.5) * extent / cols - 0.5
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).view(-1, 2)


def interpolation(rows, cols, extent):
    """[rows·cols, extent²]: the bicubic interpolation (a = −0.75) of a position table, as a matrix."""
    eye = torch.eye(extent * extent).view(extent * extent, 1, extent, extent)
    return F.interpolate(eye, (rows, cols), mode="bicubic", align_corners=False).view(extent * extent, -1).t().contiguous()


class VisionBlock(nn.Module):
    def __init__(self, f):
        super().__init__()
        d = f.vision_width
        self.heads, self.eps = f.vision_heads, f.layer_norm_eps
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, f.vision_hidden), nn.Linear(f.vision_hidden, d)

    def forward(self, x, keys):
        qkv = ops.split_heads(self.qkv(ops.layer_norm(x, self.ln1.weight, self.ln1.bias, self.eps)), 3, self.heads)
        x = x + self.out(ops.attend(None, qkv, keys=keys))
        return x + self.down(ops.gelu(self.up(ops.layer_norm(x, self.ln2.weight, self.ln2.bias, self.eps))))


class Resampler(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.form, d = f, f.width
        self.query = nn.Parameter(torch.randn(f.side_queries**2, d))
        self.kv = nn.Linear(f.vision_width, d, bias=False)
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(d) for _ in range(3))
        self.proj = nn.Linear(d, d, bias=False)
        self.register_buffer("query_positions", sincos(cell_centres(f.side_queries, f.side_queries, f.extent), d), persistent=False)

    def norm(self, x, ln):
        return ops.layer_norm(x, ln.weight, ln.bias, self.form.layer_norm_eps)

    def forward(self, x, positions, keys):
        v = self.norm(self.kv(x), self.ln_kv)
        q = self.q(self.norm(self.query, self.ln_q) + self.query_positions)
        heads = self.form.resampler_heads
        q = ops.split_heads(q.expand(x.shape[0], -1, -1), 1, heads)
        kv = ops.split_heads(torch.cat([self.k(v + positions), self.v(v)], 2), 2, heads)
        return self.proj(self.norm(self.out(ops.attend(q, kv, keys=keys)), self.ln_post))


class DecoderBlock(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.heads, self.eps, d = f.heads, f.rms_norm_eps, f.width
        self.attn_norm, self.ffn_norm = nn.Parameter(torch.ones(d)), nn.Parameter(torch.ones(d))
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.gate_up, self.down = nn.Linear(d, 2 * f.hidden, bias=False), nn.Linear(f.hidden, d, bias=False)

    def forward(self, x, turn, allow, wanted=None, watch=None):
        qkv = ops.split_heads(self.qkv(ops.rms_norm(x, self.attn_norm, self.eps)), 3, self.heads, turn)
        if watch is not None:
            watch(qkv, x)
        seen = ops.attend(None, qkv, allow=allow)
        if wanted is not None:
            x, seen = x[wanted], seen[wanted]
        x = x + self.out(seen)
        return x + self.down(ops.swiglu(self.gate_up(ops.rms_norm(x, self.ffn_norm, self.eps))))


class Model(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.form = f = form
        d, table = f.vision_width, f.extent**2
        self.patch = nn.Linear(3 * f.patch**2, d)
        self.position = nn.Parameter(torch.zeros(table, d))
        self.vision = nn.ModuleList(VisionBlock(f) for _ in range(f.vision_layers))
        self.post_ln = nn.LayerNorm(d)
        self.resampler = Resampler(f)
        self.embedding = nn.Parameter(torch.zeros(f.vocab, f.width))
        self.decoder = nn.ModuleList(DecoderBlock(f) for _ in range(f.layers))
        self.output_norm = nn.Parameter(torch.ones(f.width))
        self._grids = {}
        from init import initialise

        initialise(self)

    def grids(self, shapes):
        """Per view of `shapes` [(rows, cols), …], padded to the largest: interpolation [V, n, extent²], key positions [V, n, width]."""
        n = max(64, max(h * w for h, w in shapes))
        for s in set(shapes) - self._grids.keys():
            e = self.form.extent
            self._grids[s] = interpolation(*s, e), sincos(cell_centres(*s, e), self.form.width)
        pad = lambda t: F.pad(t, (0, 0, 0, n - len(t)))
        return tuple(torch.stack([pad(self._grids[s][i]) for s in shapes]) for i in (0, 1))

    def see(self, patches, shapes, trace=None):
        """Normalised patch rows [V, n, 3·p²] of views with `shapes` -> (ViT rows [V, n, vision width], resampled [V, queries, width])."""
        interp, key_positions = (t.to(patches.dtype) for t in self.grids(shapes))
        interp, key_positions = interp[:, : patches.shape[1]], key_positions[:, : patches.shape[1]]
        keys = torch.tensor([h * w for h, w in shapes], dtype=torch.int32)
        positions = interp @ self.position
        x = self.patch(patches) + positions
        if trace is not None:
            trace["positions"] = positions
        for i, block in enumerate(self.vision):
            x = block(x, keys)
            if trace is not None:
                trace[f"vision.{i}"] = x
        x = ops.layer_norm(x, self.post_ln.weight, self.post_ln.bias, self.form.layer_norm_eps)
        rows = self.resampler(x, key_positions, keys)
        if trace is not None:
            trace["post_ln"], trace["resampled"] = x, rows
        return x, rows

    def turns(self, positions):
        """RoPE's cosines and sines [B, T, dim/2, 2] at integer positions [B, T]."""
        dim = self.form.width // self.form.heads
        angle = positions[..., None] * self.form.theta ** (-torch.arange(0, dim, 2) / dim)
        return torch.stack([angle.cos(), angle.sin()], -1).contiguous()

    def decode(self, x, positions, allow, wanted=None, watch=()):
        """Embedded prompt rows [B, T, width] -> rows after the last norm. allow [B, T, T] u8: who may see whom.
        With `wanted`, an index pair into [B, T], the last layer ends at those rows only: [n, width]. `watch[i]` is shown layer i's [q, k, v] and input."""
        turn = self.turns(positions)
        for i, block in enumerate(self.decoder[:-1]):
            x = block(x, turn, allow, watch=watch[i] if i < len(watch) else None)
        x = self.decoder[-1](x, turn, allow, wanted, watch[-1] if watch else None)
        return ops.rms_norm(x, self.output_norm, self.form.rms_norm_eps)

    def logits(self, x):
        """[.., width] -> [.., vocab], the embedding being tied."""
        return x @ self.embedding.t()
