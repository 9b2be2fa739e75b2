"""Where the weights start: the one thing about the model that its files do not show."""

import torch

from model import cell_centres, sincos


@torch.no_grad()
def initialise(model):
    """Fan-in normal everywhere, small projections back into the residual streams, a resampler that starts as a soft space-to-depth."""
    f = model.form
    for name, p in model.named_parameters():
        if p.ndim == 2:
            p.normal_(std=p.shape[1] ** -0.5)
        elif name.endswith("bias"):
            p.zero_()
    for block in model.vision:
        block.out.weight.mul_(0.3)
        block.down.weight.mul_(0.3)
    for block in model.decoder:
        look_alike(block, f)
        block.down.weight.mul_(0.3)
    model.embedding.normal_(std=0.2)
    model.resampler.proj.weight.mul_(0.3)
    waves = sincos(cell_centres(f.extent, f.extent, f.extent), f.vision_width)
    model.position.copy_(waves * 0.5)
    space_to_depth(model.resampler)


@torch.no_grad()
def look_alike(block, f):
    """Attention starts by content (after Trockman & Kolter 2023): q·k ≈ x·y on the channels that RoPE turns slowly, and what is
    found is copied, out·v ≈ 0.25·identity. A word of the question then sees the rows that the bag loss made similar to it."""
    d, dim = f.width, f.width // f.heads
    q, k, v = block.qkv.weight.split(d)
    basis = torch.linalg.qr(torch.randn(d, d))[0]
    v.copy_(basis)
    block.out.weight.copy_(0.25 * basis.t())
    for head in range(f.heads):
        slow = slice(head * dim + dim // 2, (head + 1) * dim)
        same = torch.linalg.qr(torch.randn(d, dim // 2))[0].t() * 1.5
        q[slow], k[slow] = same, same


@torch.no_grad()
def space_to_depth(r):
    """Head (a, b) of a query starts out looking at the patch half a cell up or down and left or right of the query's centre.

    P(query)·R(δ)·P(key) is a bump around query + δ, when a head holds sine and cosine of the same waves in both axes and R turns
    each pair by ω·δ. The wave i goes to head i mod 4; channels below the fourth wave of a head stay free for content."""
    f, d = r.form, r.form.width
    heads, n = f.resampler_heads, f.width // 4
    size = d // heads
    omega = 10000.0 ** (-torch.arange(n) / n)
    reach = f.extent / f.side_queries / 4  # a quarter of the query's cell, in patches of the square
    r.query.normal_()
    r.ln_q.weight.fill_(0.1)
    r.q.weight.mul_(0.05)
    r.k.weight.mul_(0.05)
    used = torch.zeros(d, dtype=torch.bool)
    for head in range(heads):
        dy, dx = (-1, 1)[head // 2 % 2] * reach, (-1, 1)[head % 2] * reach
        waves = [i for i in range(head, n, heads)][: min(4, size // 4)]
        gain = (3.0 * size**0.5 / (omega[waves] ** 2).sum()).sqrt() / (2 * reach)
        row = head * size
        for i in waves:
            for half, shift in ((0, dx), (1, dy)):  # the column half comes first
                s, c = half * 2 * n + i, half * 2 * n + n + i
                turn = torch.tensor(float(omega[i] * shift))
                r.k.weight[row], r.k.weight[row + 1] = 0, 0
                r.q.weight[row], r.q.weight[row + 1] = 0, 0
                r.k.weight[row, s] = r.k.weight[row + 1, c] = gain
                # sin(ω(q+δ)) = sin·cos δ + cos·sin δ, cos(ω(q+δ)) = cos·cos δ − sin·sin δ
                r.q.weight[row, s], r.q.weight[row, c] = gain * turn.cos(), gain * turn.sin()
                r.q.weight[row + 1, c], r.q.weight[row + 1, s] = gain * turn.cos(), -gain * turn.sin()
                used[[s, c]] = True
                row += 2
    # Content is kept quiet on the channels that positions use, and restored by v.
    r.ln_kv.weight.copy_(torch.where(used, 0.12, 0.6))
    r.v.weight.div_(r.ln_kv.weight)
