"""The eyes of MiniCPM-V 2.5 to 4.5, which transformers has no class for: a SigLIP whose positions are buckets of a square table,
and a resampler. Modules bear the names of the published weights, which the legacy converter reads."""

import torch
from torch import nn
from torch.nn.functional import gelu


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        q, k, v = (p(x).unflatten(-1, (self.heads, -1)).transpose(0, 1) for p in (self.q_proj, self.k_proj, self.v_proj))
        scores = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        return self.out_proj((scores @ v).transpose(0, 1).flatten(1))


class Mlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(gelu(self.fc1(x), approximate="tanh"))


class Layer(nn.Module):
    def __init__(self, width, inner, heads):
        super().__init__()
        self.self_attn, self.mlp = Attention(width, heads), Mlp(width, inner)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    def __init__(self, width, patch, table):
        super().__init__()
        self.table = table
        self.patch_embedding = nn.Conv2d(3, width, patch, stride=patch)
        self.position_embedding = nn.Embedding(table * table, width)

    def forward(self, pixels):
        x = self.patch_embedding(pixels[None])[0]
        rows, columns = x.shape[1:]
        # The published code compares fractions in f32, which is this but for a few counts of patches above 24.
        row, column = (torch.arange(n) * self.table // n for n in (rows, columns))
        return x.flatten(1).T + self.position_embedding((row[:, None] * self.table + column).flatten())


class Vision(nn.Module):
    """[3, h, w] normalised → [patches, width]"""

    def __init__(self, width, inner, layers, heads, patch, table):
        super().__init__()
        self.embeddings = Embeddings(width, patch, table)
        self.encoder = nn.ModuleDict(dict(layers=nn.ModuleList([Layer(width, inner, heads) for _ in range(layers)])))
        self.post_layernorm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pixels):
        x = self.embeddings(pixels)
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.post_layernorm(x)


def waves(width, rows, columns):
    """[rows·columns, width]: the first half of a row tells its column, the second its row, each by sines then cosines."""
    frequencies = 10000.0 ** (-torch.arange(width // 4) / (width / 4))
    angles = torch.arange(max(rows, columns))[:, None] * frequencies
    of = torch.cat([angles.sin(), angles.cos()], 1)
    return torch.cat([of[:columns].repeat(rows, 1), of[:rows].repeat_interleave(columns, 0)], 1)


class Resampler(nn.Module):
    """[patches, width] and their grid → [queries, decoder's width]"""

    def __init__(self, queries, width, out):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(queries, out))
        self.kv_proj = nn.Linear(width, out, bias=False)
        self.attn = nn.MultiheadAttention(out, out // 128, batch_first=True)
        self.ln_q, self.ln_kv, self.ln_post = (nn.LayerNorm(out, eps=1e-6) for _ in range(3))
        self.proj = nn.Parameter(torch.zeros(out, out))

    def forward(self, x, rows, columns):
        value = self.ln_kv(self.kv_proj(x))
        key = value + waves(value.shape[1], rows, columns)
        return self.ln_post(self.attn(self.ln_q(self.query), key, value, need_weights=False)[0]) @ self.proj
