"""Where the decoder should look: attention taught on tokens whose object the labels locate.

Finding the row that a word speaks of is the step that answers alone teach last (log.md). So a few heads are told: at a word that
names a shape or colour, one layer looks at the rows that hold it; at "star" in "red star" the next looks at the rows that hold both;
at each letter of a word that is read, the layer after looks at rows with that letter. What is not in the picture is looked for
at the first token. And after the
second layer the word must know what it found: the shapes and colours of the things it names, and where in the overview they lie.
The runtime knows nothing of this: it is a loss, not a part of the model."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

WORD, PAIR, LETTER = 0, 1, 2  # layers
TALLY = {2: 3.0, 3: 8.0}  # heads of PAIR and LETTER that count, and how many things their look at the first token weighs
MOST = 10  # things that are told apart when counting
HEADS = {WORD: slice(0, 2), PAIR: slice(0, 2), LETTER: slice(0, 2)}


class Grounding:
    def __init__(self, names, letters, shapes, queries):
        """names: token id -> (class, colour); letters: token id -> column of the bags; shapes: how many classes are shapes."""
        self.names, self.letters, self.shapes, self.queries = names, letters, shapes, queries

    def targets(self, batch, prefix):
        """{layer: (pictures [n], places [n], wanted [n, P] bool)} over the prompt of one batch, and for the words of PAIR what they
        name: [n, shapes + colours + queries of the overview] bool, how many of it there are: [n], and at every second
        noun of a question (pictures, places, versus [m, 3]): how the first thing lies to the second."""
        pictures = len(batch["ids"])
        rows = np.array([i for i, p in enumerate(prefix) if p < 0])
        things = batch["things"].reshape(pictures, len(rows), *batch["things"].shape[2:]).astype(bool)
        bags = batch["bags"].reshape(pictures, len(rows), -1).astype(bool)
        found, known, counts, pairs, tally = {WORD: [], PAIR: [], LETTER: []}, [], [], [], []
        for b in range(pictures):
            ids, ans, seg, noun = batch["ids"][b], batch["ans"][b], batch["seg"][b], None
            for i in np.nonzero(ids)[0]:
                if ans[i] == 2 and (letter := self.letters.get(int(ids[i]))) is not None:
                    hit = bags[b, :, letter]
                    if hit.any():
                        found[LETTER].append((b, len(prefix) + i - 1, hit))
                if ans[i] or (name := self.names.get(int(ids[i]))) is None:
                    continue
                shape, colour = name
                before = self.names.get(int(ids[i - 1]), (0, 0))[1] if i and shape else 0
                if shape >= 0:
                    found[WORD].append((b, len(prefix) + i, self.holding(things[b], shape, colour).any((1, 2))))
                match = self.holding(things[b], shape, colour or before)
                found[PAIR].append((b, len(prefix) + i, match.any((1, 2))))
                if shape:
                    this = (seg[i], *self.spot(batch, b, shape, colour or before))
                    if noun is not None and noun[0] == this[0] and (versus := self.versus(noun, this)).any():
                        pairs.append((b, len(prefix) + i, versus))
                    noun = this
                middles = self.holding(batch["middles"][b], shape, colour or before).sum((1, 2))
                counts.append(min(middles.sum(), MOST - 1))
                if shape <= self.shapes:
                    tally.append((b, len(prefix) + i, middles.astype(np.float32)))
                known.append(np.concatenate([match.any((0, 2))[1 : self.shapes + 1], match.any((0, 1))[1:], match[-self.queries :].any((1, 2))]))
        out = {}
        for layer, items in found.items():
            if items:
                wanted = np.zeros((len(items), len(prefix)), bool)
                wanted[:, rows] = np.stack([hit for _, _, hit in items])
                wanted[:, 0] = ~wanted.any(1)
                out[layer] = tuple(torch.from_numpy(np.array(x)) for x in ([i[0] for i in items], [i[1] for i in items], wanted))
        if not known:
            return out, None
        second = tuple(torch.from_numpy(np.array(x)) for x in zip(*pairs)) if pairs else None
        tally = tuple(torch.from_numpy(np.array(x)) for x in zip(*tally)) if tally else None
        return out, (torch.from_numpy(np.array(known)), torch.tensor(counts, dtype=torch.long), second, tally)

    def spot(self, batch, b, shape, colour):
        """Cells, mean row, mean column and number of the things of that shape and colour in the overview."""
        cells = self.holding(batch["spots"][b][None], shape, colour)[0].sum((0, 1))
        return cells[0], cells[1] / max(cells[0], 1), cells[2] / max(cells[0], 1), self.holding(batch["middles"][b], shape, colour).sum()

    @staticmethod
    def versus(a, b):
        """Is a right of b, below b, larger than b: 1 yes, −1 no, 0 if it cannot be told. Only for two single things."""
        if a[4] != 1 or b[4] != 1:
            return np.zeros(3, np.float32)
        larger = np.sign(a[1] - b[1]) * (max(a[1], b[1]) > 1.25 * min(a[1], b[1]))
        return np.array([np.sign(d) * (abs(d) > 0.7) for d in (a[3] - b[3], a[2] - b[2])] + [larger], np.float32)

    def holding(self, things, shape, colour):
        """What rows hold [rows, classes, colours], less all but the class (0: any, −1: any shape) in the colour (0: any)."""
        kept = np.zeros_like(things)
        shapes = slice(1, None if shape == 0 else self.shapes + 1) if shape <= 0 else slice(shape, shape + 1)
        colours = slice(colour, colour + 1) if colour else slice(None)
        kept[:, shapes, colours] = things[:, shapes, colours]
        return kept


def tally_loss(qkv, allow, prefix, tally):
    """Cross-entropy to attention that counts: m/(n + c) on an overview row with m middles of n in all, c/(n + c) on the first token.
    Softmax can do that with scores of rows alone, and what it leaves at the first token tells n. tally: (pictures, places, middles)."""
    picture, place, middles = tally
    heads = list(TALLY)
    q, k = qkv[0][:, heads], qkv[1][:, heads]
    scores = (q @ k.transpose(2, 3))[picture, :, place].float() * q.shape[-1] ** -0.5
    scores = scores.masked_fill(allow[picture, place][:, None] == 0, -1e9).log_softmax(-1)
    rows = scores[:, :, prefix - middles.shape[1] : prefix]
    n, c = middles.sum(1)[:, None], torch.tensor(list(TALLY.values()))
    return -((rows * middles[:, None]).sum(2) + scores[:, :, 0] * c).div(n + c).mean()


class FoundHead(nn.Module):
    """What a word knows of the things it names, read from its row after the PAIR layer. Thrown away after training."""

    def __init__(self, width, name_ids, side):
        """name_ids: token of every shape, then of every colour."""
        super().__init__()
        self.norm, self.bias, self.side = nn.LayerNorm(width), nn.Parameter(torch.full((1,), -2.0)), side
        self.place = nn.Linear(width, 2 * side)
        self.count_norm, self.count, self.versus = nn.LayerNorm(width), nn.Linear(width, MOST), nn.Linear(width, 3)
        self.register_buffer("ids", torch.tensor(name_ids), persistent=False)

    def forward(self, x, embedding, known):
        """x [n, width], known [n, shapes + colours + side²] bool -> loss"""
        n, x = len(self.ids), self.norm(x)
        names = F.binary_cross_entropy_with_logits((x @ embedding[self.ids].t() + self.bias).float(), known[:, :n].float())
        where = known[:, n:].view(-1, self.side, self.side).float()
        there = where.flatten(1).any(1)
        axes = torch.cat([where.sum(2), where.sum(1)])[there.repeat(2)]
        guess = self.place(x).float().view(-1, 2, self.side).transpose(0, 1).reshape(-1, self.side)[there.repeat(2)]
        place = -(axes / axes.sum(1, keepdim=True) * guess.log_softmax(1)).sum(1).mean() if len(axes) else 0.0
        return 4 * names + 0.7 * place

    def count_loss(self, x, counts):
        """x [n, width], counts [n] -> loss"""
        return F.cross_entropy(self.count(self.count_norm(x)).float(), counts)

    def versus_loss(self, x, versus):
        """x [m, width] at second nouns, versus [m, 3] -> loss"""
        z = self.versus(self.count_norm(x)).float()
        return (F.softplus(-z * versus) * versus.abs()).sum() / versus.abs().sum()


class MiddleHead(nn.Module):
    """How many middles of shapes a row of the overview holds, and of which shapes and colours. Thrown away after training."""

    def __init__(self, width, shapes, colours):
        super().__init__()
        self.shapes = shapes
        self.norm, self.count, self.kinds = nn.LayerNorm(width), nn.Linear(width, 4), nn.Linear(width, shapes + colours)

    def forward(self, rows, middles):
        """rows [B, q, width], middles u8 [B, q, classes, colours] -> loss"""
        rows, shapes = self.norm(rows), middles[:, :, 1 : self.shapes + 1].int()
        count = F.cross_entropy(self.count(rows).float().flatten(0, 1), shapes.sum((2, 3)).clamp(max=3).flatten())
        kinds = torch.cat([shapes.any(3), shapes.any(2)[:, :, 1:]], 2).float()
        return count + 4 * F.binary_cross_entropy_with_logits(self.kinds(rows).float(), kinds)


def attention_loss(qkv, allow, target, heads):
    """−log of the attention that `heads` give to the wanted rows. qkv [3, B, H, T, D]."""
    picture, place, wanted = target
    q, k = qkv[0][:, heads], qkv[1][:, heads]
    scores = (q @ k.transpose(2, 3))[picture, :, place].float() * q.shape[-1] ** -0.5
    scores = scores.masked_fill(allow[picture, place][:, None] == 0, -1e9).log_softmax(-1)
    mass = scores[:, :, : wanted.shape[1]].masked_fill(~wanted[:, None], -1e9).logsumexp(-1)
    return -mass.mean()
