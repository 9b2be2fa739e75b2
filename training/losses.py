"""What the model is asked to get right: labels of cells, bags of words of queries, answers."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from grounding import HEADS, LETTER, PAIR, WORD, attention_loss, tally_loss


class DenseHead(nn.Module):
    """One linear layer from a ViT row to the class, colour and character of its four 7-px cells. Thrown away after training."""

    def __init__(self, width, labels):
        super().__init__()
        self.sizes = [len(labels[k]) for k in ("classes", "colours", "characters")]
        self.linear = nn.Linear(width, 4 * sum(self.sizes))
        nn.init.normal_(self.linear.weight, std=0.02)

    def forward(self, rows, labels):
        """rows [V, n, width], labels u8 [V, n, 4, 3] (255 is padding) -> loss, hits [3], of non-empty cells [3]"""
        real = labels[:, :, 0, 0] != 255
        z = self.linear(rows[real]).view(-1, sum(self.sizes)).float().split(self.sizes, -1)
        y = labels[real].view(-1, 3).long()
        # Most cells are background; the others carry what there is to learn.
        weight = 0.15 + (y.sum(-1) > 0).float() + (y[:, 2] > 0).float()
        weight = weight / weight.sum()
        loss = sum((F.cross_entropy(a, y[:, k], reduction="none") * weight).sum() for k, a in enumerate(z))
        with torch.no_grad():
            there = [y[:, k] > 0 for k in range(3)]
            hits = [((a.argmax(-1) == y[:, k]) & there[k]).sum().item() for k, a in enumerate(z)]
        return loss, hits, [t.sum().item() for t in there]


class BagHead(nn.Module):
    """Each resampled row names, through the tied embedding, what lies in its cell: the row and the words meet early."""

    def __init__(self, width, word_ids, side, characters):
        super().__init__()
        self.side = side
        self.norm, self.bias = nn.LayerNorm(width), nn.Parameter(torch.full((1,), -3.0))
        self.place = nn.Linear(width, 2 * side)
        self.letters = nn.Linear(width, side**2 * characters)
        # word_ids: for every name a list of token ids; one entry a (name, id) pair
        self.register_buffer("name", torch.tensor([i for i, ids in enumerate(word_ids) for _ in ids]), persistent=False)
        self.register_buffer("word", torch.tensor([t for ids in word_ids for t in ids]), persistent=False)

    def forward(self, rows, embedding, bags, letters):
        """rows [V, q, width], bags u8 [V, q, names], letters u8 [V, q, q] -> loss
        A row must also tell its own place in the view, and which character lies where in its cell: words have an order."""
        rows = self.norm(rows)
        place, at = self.place(rows).float().view(-1, self.side), torch.arange(self.side**2)
        place_loss = F.cross_entropy(place, torch.stack([at // self.side, at % self.side], 1).flatten().repeat(len(rows)))
        logits = (rows @ embedding[self.word].t() + self.bias).float()
        target = bags[:, :, self.name].float()
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="sum", pos_weight=torch.full((1,), 3.0))
        some = (letters > 0).any(2)  # rows with characters
        y = letters[some].long().flatten()
        z = self.letters(rows[some]).float().view(len(y), self.letters.out_features // letters.shape[2])
        weight = torch.where(y > 0, 1.0, 0.1)
        letter_loss = (F.cross_entropy(z, y, reduction="none") * weight).sum() / (weight.sum() + 1)
        return loss / (target.sum() + 1) + place_loss, letter_loss


def visibility(prefix, seg):
    """u8 [B, P+T, P+T]: the prefix sees itself causally; a question sees the prefix and, causally, itself."""
    B, T = seg.shape
    full = torch.cat([seg.new_zeros(B, prefix), seg], 1)
    same = full[:, :, None] == full[:, None, :]
    same[:, :, :prefix] = True
    return (same & torch.ones(prefix + T, prefix + T, dtype=torch.bool).tril()).to(torch.uint8)


def restarting_positions(prefix, seg):
    """[B, P+T]: 0… over the prefix, then from P again at the start of every question."""
    B, T = seg.shape
    starts = torch.cat([torch.ones(B, 1, dtype=torch.bool), seg[:, 1:] != seg[:, :-1]], 1)
    first = torch.cummax(starts * torch.arange(T), 1)[0]
    return torch.cat([torch.arange(prefix).expand(B, -1), prefix + torch.arange(T) - first], 1)


def prompt(model, rows, prefix, ids):
    """Embedded prompt [B, P+T, width] from resampled rows [B, views·queries, width], prefix ids (−1 = a row) and text ids [B, T]."""
    prefix = torch.tensor(prefix)
    head = model.embedding[prefix.clamp(min=0)].expand(len(rows), -1, -1).clone()
    head[:, prefix < 0] = rows
    return torch.cat([head, model.embedding[ids]], 1)


def answer_logits(model, rows, prefix, batch, grounding=None):
    """Logits [n, vocab] at every place whose next token belongs to an answer, their targets [n] and (picture, segment) [n, 2]."""
    ids, seg, ans = (torch.from_numpy(batch[k]) for k in ("ids", "seg", "ans"))
    x = prompt(model, rows.view(len(ids), -1, rows.shape[-1]), prefix, ids)
    p = len(prefix)
    picture, place = (ans[:, 1:] > 0).nonzero(as_tuple=True)
    allow, watch, looks = visibility(p, seg), [], []
    if grounding:
        targets, known = grounding.targets(batch, prefix)

        def see(layer):
            def watcher(qkv, x):
                if layer in targets:
                    looks.append(attention_loss(qkv, allow, targets[layer], HEADS[layer]))
                if layer in (PAIR, LETTER) and known is not None and known[3]:
                    looks.append(2 * tally_loss(qkv, allow, p, known[3]))
                if layer == PAIR + 1 and known is not None:
                    looks.append(model.found(x[targets[PAIR][:2]], model.embedding, known[0]))
                if layer == LETTER + 1 and known is not None:
                    looks.append(1.5 * model.found.count_loss(x[targets[PAIR][:2]], known[1]))
                    if known[2]:
                        looks.append(2 * model.found.versus_loss(x[known[2][:2]], known[2][2]))

            return watcher

        watch = [see(layer) for layer in range(LETTER + 2)]
    h = model.decode(x, restarting_positions(p, seg), allow, (picture, place + p), watch)
    out = model.logits(h).float(), ids[:, 1:][picture, place], torch.stack([picture, seg[:, 1:][picture, place]], 1)
    return (*out, looks) if grounding else out
