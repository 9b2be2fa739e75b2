"""Muon for matrices, AdamW for the rest, on f32 masters of bfloat16 parameters.

Muon (K. Jordan, 2024) replaces the momentum of a matrix by the nearest orthogonal matrix, found here by four steps of the
Polar Express iteration (Amsel et al., 2025). Equal shapes share one batched product: that is what makes it cheap on a CPU."""

import torch

# Coefficients of the Polar Express steps; the odd polynomials a·x + b·x³ + c·x⁵ that lift small singular values fastest.
STEPS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)


@torch.no_grad()
def orthogonal(g):
    """[n, r, c] f32 -> bf16 of the same row and column spaces with singular values near 1."""
    tall = g.shape[1] > g.shape[2]
    x = g / (g.norm(dim=(1, 2), keepdim=True) * 1.02 + 1e-7)
    x = (x.transpose(1, 2) if tall else x).to(torch.bfloat16, memory_format=torch.contiguous_format)
    for a, b, c in STEPS:
        s = torch.bmm(x, x.transpose(1, 2))
        x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
    return x.transpose(1, 2) if tall else x


def parts_of(name):
    """How many independent matrices a merged weight holds."""
    return 3 if ".qkv." in name else 2 if ".gate_up." in name else 1


def is_hidden_matrix(name, p):
    """Muon's share: every matrix between the input and output layers."""
    return p.ndim == 2 and name.endswith(".weight") and name.startswith(("vision.", "resampler.", "decoder."))


class Group:
    """Matrices of one shape, their masters and momenta stacked [n, rows, cols]."""

    def __init__(self, rows, cols, named, speed):
        self.named, self.factor, self.speed = named, max(1.0, rows / cols) ** 0.5, speed
        self.shape = (-1, rows, cols)
        self.master = self.stack(p.detach() for _, p in named)
        self.momentum = torch.zeros_like(self.master)

    def stack(self, tensors):
        return torch.cat([t.view(self.shape) for t in tensors]).float()

    def unstack(self, stacked):
        counts = [p.numel() // (self.shape[1] * self.shape[2]) for _, p in self.named]
        return [part.reshape(p.shape) for (_, p), part in zip(self.named, stacked.split(counts))]

    def step(self, lr, beta, decay):
        grad = self.stack(p.grad for _, p in self.named)
        self.momentum.lerp_(grad, 1 - beta)
        update = orthogonal(grad.lerp_(self.momentum, beta))  # Nesterov
        lr = lr * self.speed
        self.master.mul_(1 - lr * decay).add_(update, alpha=-lr * self.factor)


class Optimiser:
    """Steps all parameters that have a gradient; `scale` of a step multiplies both learning rates."""

    def __init__(self, model, muon_lr=0.012, adam_lr=2e-3, momentum=0.95, betas=(0.9, 0.97), decay=0.02, clip=1.0, vision=1.0):
        self.muon_lr, self.adam_lr, self.momentum, self.betas, self.decay, self.clip = muon_lr, adam_lr, momentum, betas, decay, clip
        self.named, shapes, self.steps = list(model.named_parameters()), {}, 0
        for n, p in self.named:
            if is_hidden_matrix(n, p):
                # Parts stand apart: some batches give the decoder or the resampler no gradient.
                shapes.setdefault((n.split(".")[0], p.shape[0] // parts_of(n), p.shape[1]), []).append((n, p))
        self.groups = [Group(rows, cols, named, vision if part == "vision" else 1.0) for (part, rows, cols), named in shapes.items()]
        self.others = [(n, p) for n, p in self.named if not is_hidden_matrix(n, p)]
        self.master = {n: p.detach().float().clone() for n, p in self.others}
        self.first, self.second = ({n: torch.zeros_like(m) for n, m in self.master.items()} for _ in range(2))

    def weights(self):
        """Name -> f32 master."""
        out = dict(self.master)
        for g in self.groups:
            out.update((n, m) for (n, _), m in zip(g.named, g.unstack(g.master)))
        return out

    def state(self):
        momenta = {n: m for g in self.groups for (n, _), m in zip(g.named, g.unstack(g.momentum))}
        return {"master": self.weights(), "first": {**self.first, **momenta}, "second": self.second, "steps": self.steps}

    def load(self, state, whole=True):
        """Takes what fits of a state: weights only, or the momenta and the step count too."""

        def put(into, source):
            for n, t in into.items():
                if n in source and source[n].shape == t.shape:
                    t.copy_(source[n])

        put(self.master, state["master"])
        if whole:
            put(self.first, state["first"])
            put(self.second, state["second"])
            self.steps = state["steps"]
        for g in self.groups:
            for key, into in (("master", g.master), ("first", g.momentum))[: 2 if whole else 1]:
                into.copy_(g.stack(state[key].get(n, p.detach()) for n, p in g.named))
        self.publish()

    @torch.no_grad()
    def publish(self):
        """Rounds the masters into the model."""
        torch._foreach_copy_([p for _, p in self.others], [self.master[n] for n, _ in self.others])
        for g in self.groups:
            torch._foreach_copy_([p for _, p in g.named], g.unstack(g.master))

    @torch.no_grad()
    def step(self, scale):
        self.steps += 1
        for g in self.groups:
            if g.named[0][1].grad is not None:
                g.step(self.muon_lr * scale, self.momentum, self.decay)
        self._adam([(n, p) for n, p in self.others if p.grad is not None], self.adam_lr * scale)
        self.publish()
        for _, p in self.named:
            p.grad = None

    def _adam(self, named, lr):
        grads = [p.grad.float() for _, p in named]
        norm = torch.stack(torch._foreach_norm(grads)).norm()
        torch._foreach_mul_(grads, float((self.clip / (norm + 1e-6)).clamp(max=1.0)))
        first, second = [self.first[n] for n, _ in named], [self.second[n] for n, _ in named]
        torch._foreach_lerp_(first, grads, 1 - self.betas[0])
        torch._foreach_mul_(second, self.betas[1])
        torch._foreach_addcmul_(second, grads, grads, 1 - self.betas[1])
        step = lr * (1 - self.betas[1] ** self.steps) ** 0.5 / (1 - self.betas[0] ** self.steps)
        bottom = torch._foreach_sqrt(second)
        torch._foreach_add_(bottom, 1e-8)
        torch._foreach_addcdiv_([self.master[n] for n, _ in named], first, bottom, -step)
