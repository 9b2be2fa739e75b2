"""The network's element-wise operations: plain PyTorch in f32, `fused.c` for bfloat16 on a CPU.

Both mean the same; a test of the training (`python ops.py`) compares them. The f32 road is the one that fixtures and
evaluation use, so nothing that is published depends on the fused loops."""

import ctypes
import os
import subprocess
from pathlib import Path

import torch
import torch.nn.functional as F

_LIB = None


def library():
    """The compiled `fused.c`, built on first use beside the checkpoints (or in $TMPDIR)."""
    global _LIB
    if _LIB is None:
        source = Path(__file__).with_name("fused.c")
        built = Path(os.environ.get("LOUPE_TRAIN_DIR", "/tmp")) / f"fused-{os.getpid()}.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, str(source), "-o", str(built), "-lm"], check=True)
        _LIB = ctypes.CDLL(str(built))
        built.unlink()
    return _LIB


def _ptr(t):
    return ctypes.c_void_p(t.data_ptr() if t is not None else None)


_long, _float, _int = ctypes.c_long, ctypes.c_float, ctypes.c_int


def _fused(x):
    return x.dtype == torch.bfloat16 and x.device.type == "cpu"


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x = x.contiguous()
        y = torch.empty_like(x)
        library().gelu(_ptr(x), _ptr(y), _long(x.numel()))
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        dy, dx = dy.contiguous(), torch.empty_like(x)
        library().gelu_back(_ptr(x), _ptr(dy), _ptr(dx), _long(x.numel()))
        return dx


def gelu(x):
    """tanh-GELU."""
    return _Gelu.apply(x) if _fused(x) else F.gelu(x, approximate="tanh")


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x = x.contiguous()
        h = x.shape[-1] // 2
        y = x.new_empty(*x.shape[:-1], h)
        library().swiglu(_ptr(x), _ptr(y), _long(y.numel() // h), _long(h))
        ctx.save_for_backward(x)
        return y

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        dy, dx, h = dy.contiguous(), torch.empty_like(x), x.shape[-1] // 2
        library().swiglu_back(_ptr(x), _ptr(dy), _ptr(dx), _long(dy.numel() // h), _long(h))
        return dx


def swiglu(x):
    """[.., gate ++ up] -> silu(gate)·up."""
    if _fused(x):
        return _SwiGlu.apply(x)
    gate, up = x.chunk(2, -1)
    return F.silu(gate) * up


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, eps):
        x = x.contiguous()
        n = x.shape[-1]
        rows = x.numel() // n
        y, stat = torch.empty_like(x), torch.empty(rows, 2)
        library().norm(_ptr(x), _ptr(w), _ptr(b), _ptr(y), _ptr(stat), _float(eps), _int(b is not None), _long(rows), _long(n))
        ctx.save_for_backward(x, w, stat)
        ctx.bias = b is not None
        return y

    @staticmethod
    def backward(ctx, dy):
        x, w, stat = ctx.saved_tensors
        n = x.shape[-1]
        dy, dx, dw, db = dy.contiguous(), torch.empty_like(x), torch.zeros(n), torch.zeros(n)
        library().norm_back(_ptr(x), _ptr(w), _ptr(stat), _ptr(dy), _ptr(dx), _ptr(dw), _ptr(db), _int(ctx.bias), _long(x.numel() // n), _long(n))
        return dx, dw.to(w.dtype), db.to(w.dtype) if ctx.bias else None, None


def layer_norm(x, w, b, eps):
    return _Norm.apply(x, w, b, eps) if _fused(x) else F.layer_norm(x, (x.shape[-1],), w, b, eps)


def rms_norm(x, w, eps):
    return _Norm.apply(x, w, None, eps) if _fused(x) else F.rms_norm(x, (x.shape[-1],), w, eps)


class _SplitHeads(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, parts, heads, turn):
        x = x.contiguous()
        B, T, W = x.shape
        D = W // parts // heads
        y = x.new_empty(parts, B, heads, T, D)
        library().split_heads(_ptr(x), _ptr(y), _ptr(turn), *map(_long, (B, T, parts, heads, D)), _int(0))
        ctx.turn, ctx.shape = turn, (B, T, parts, heads, D)
        return y

    @staticmethod
    def backward(ctx, dy):
        B, T, parts, heads, D = ctx.shape
        dy = dy.contiguous()
        dx = dy.new_empty(B, T, parts * heads * D)
        library().split_heads(_ptr(dx), _ptr(dy), _ptr(ctx.turn), *map(_long, ctx.shape), _int(1))
        return dx, None, None, None


def split_heads(x, parts, heads, turn=None):
    """[B, T, parts·heads·dim] -> [parts, B, heads, T, dim]; `turn` [B, T, dim/2, 2] (cos, sin) rotates adjacent pairs of parts 0 and 1."""
    if _fused(x):
        return _SplitHeads.apply(x, parts, heads, turn)
    B, T, W = x.shape
    y = x.view(B, T, parts, heads, W // parts // heads).permute(2, 0, 3, 1, 4)
    if turn is None:
        return y
    c, s = turn[:, None, :, :, 0].to(x.dtype), turn[:, None, :, :, 1].to(x.dtype)
    even, odd = y[:2, ..., 0::2], y[:2, ..., 1::2]
    turned = torch.stack([even * c - odd * s, even * s + odd * c], -1).flatten(-2)
    return torch.cat([turned, y[2:]])


class _Attend(torch.autograd.Function):
    """q [1, B, H, Q, D] and kv [2, B, H, K, D], or all three in kv [3, ..]: the gradients are written where they belong, uncopied."""

    @staticmethod
    def forward(ctx, q, kv, keys, allow):
        merged = q is None
        B, H, K, D = kv.shape[1:]
        query = kv[0] if merged else q[0]
        Q = query.shape[2]
        q3, k3, v3 = (t.reshape(B * H, -1, D) for t in (query, kv[-2], kv[-1]))
        p = torch.bmm(q3, k3.transpose(1, 2))
        library().softmax(_ptr(p), _ptr(keys), _ptr(allow), _float(D**-0.5), *map(_long, (B, H, Q, K)))
        o = torch.bmm(p, v3)
        ctx.save_for_backward(q, kv, p)
        y = o.new_empty(B, Q, H * D)
        library().split_heads(_ptr(y), _ptr(o), None, *map(_long, (B, Q, 1, H, D)), _int(1))
        return y

    @staticmethod
    def backward(ctx, dy):
        q, kv, p = ctx.saved_tensors
        B, H, K, D = kv.shape[1:]
        query = kv[0] if q is None else q[0]
        Q, dy = query.shape[2], dy.contiguous()
        q3, k3, v3 = (t.reshape(B * H, -1, D) for t in (query, kv[-2], kv[-1]))
        do = dy.new_empty(B * H, Q, D)
        library().split_heads(_ptr(dy), _ptr(do), None, *map(_long, (B, Q, 1, H, D)), _int(0))
        dq, dkv = (None if q is None else torch.empty_like(q)), torch.empty_like(kv)
        flat = lambda t: t.view(B * H, -1, D)
        torch.bmm(p.transpose(1, 2), do, out=flat(dkv[-1]))
        ds = torch.bmm(do, v3.transpose(1, 2))
        library().softmax_back(_ptr(p), _ptr(ds), _float(D**-0.5), _long(B * H * Q), _long(K))
        torch.bmm(ds, k3, out=flat(dkv[0] if q is None else dq[0]))
        torch.bmm(ds.transpose(1, 2), q3, out=flat(dkv[-2]))
        return dq, dkv, None, None


def attend(q, kv, keys=None, allow=None):
    """softmax(q·kᵀ/√dim)·v, heads joined: [B, tokens, heads·dim]. kv [2, B, heads, tokens, dim] with q [1, ..], or q None and kv [3, ..].
    keys [B] i32: how many leading keys are real. allow [B, q, k] u8: who may see whom."""
    if _fused(kv):
        return _Attend.apply(q, kv, keys, allow)
    q, k, v = kv if q is None else (q[0], *kv)
    mask = None if allow is None else allow.bool()[:, None]
    if keys is not None:
        mask = (torch.arange(k.shape[2]) < keys[:, None])[:, None, None]
    o = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return o.transpose(1, 2).flatten(2)


def _compare():
    """Prints the largest difference of each fused operation and its gradient from the f32 one."""
    torch.manual_seed(0)

    def show(name, fn, *xs):
        out = []
        for dtype in (torch.float32, torch.bfloat16):
            ys = [x.bfloat16().to(dtype).requires_grad_() for x in xs]
            y = fn(*ys)
            (y.float() * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum().backward()
            out.append([y.float()] + [t.grad.float() for t in ys])
        print(name, ["%.1e of %.1e" % (float((a - b).abs().max().detach()), float(a.abs().max().detach())) for a, b in zip(*out)])

    show("gelu", gelu, torch.randn(5, 77) * 3)
    show("swiglu", swiglu, torch.randn(5, 64) * 3)
    show("layer_norm", lambda x, w, b: layer_norm(x, w, b, 1e-6), torch.randn(9, 64), torch.randn(64), torch.randn(64))
    show("rms_norm", lambda x, w: rms_norm(x, w, 1e-5), torch.randn(9, 64), torch.randn(64))
    angle = torch.rand(2, 6, 8) * 6
    turn = torch.stack([angle.cos(), angle.sin()], -1)
    show("split_heads", lambda x: split_heads(x, 3, 4, turn), torch.randn(2, 6, 3 * 4 * 16))
    keys = torch.tensor([4, 6], dtype=torch.int32)
    allow = torch.ones(6, 6).tril()[None].expand(2, 6, 6).to(torch.uint8).contiguous()
    show("attend keys", lambda q, kv: attend(q, kv, keys=keys), torch.randn(1, 2, 4, 3, 16), torch.randn(2, 2, 4, 6, 16))
    show("attend mask", lambda kv: attend(None, kv, allow=allow), torch.randn(3, 2, 4, 6, 16))


if __name__ == "__main__":
    _compare()
