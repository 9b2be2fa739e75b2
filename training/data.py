"""From the scene generator's stream to batches: records, text packing, batches of one slice grid, a reader process."""

import json
import multiprocessing
import random
import struct
import subprocess

import numpy as np

MAGIC = 0x50554F4C
PATCH, CELL = 14, 7
AREA_FROM = 9  # labels of classes below are shapes
SLOTS = 64  # patches of a view after padding: a view of the built-in model has at most 8·8


def records(stream):
    """Yields (meta, blob) from `loupe scenes --out -`; the layout is in the README."""
    while head := stream.read(12):
        magic, text, blob = struct.unpack("<III", head)
        if magic != MAGIC:
            raise ValueError("this is not a scene stream; was it written by `loupe scenes --out -`?")
        yield json.loads(stream.read(text)), stream.read(blob)


def scene_command(binary, first_seed, count=0, extra=()):
    """The command that renders pictures from `first_seed` on; count 0 never ends."""
    return ["nice", "-n", "5", binary, "scenes", "--seed-from", str(first_seed), "--count", str(count), "--out", "-", *extra]


def patch_rows(view):
    """u8 [h, w, 3] -> u8 [SLOTS, 3·p·p]: patches row-major, each channel-major like the convolution's weight; the rest is 0."""
    h, w = view.shape[0] // PATCH, view.shape[1] // PATCH
    rows = view.reshape(h, PATCH, w, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(h * w, -1)
    out = np.zeros((SLOTS, rows.shape[1]), np.uint8)
    out[: h * w] = rows
    return out


def patch_labels(labels):
    """u8 [2h, 2w, 3] of 7-px cells -> u8 [SLOTS, 4, 3], the four cells of each patch row-major; padding is 255."""
    h, w = labels.shape[0] // 2, labels.shape[1] // 2
    out = np.full((SLOTS, 4, 3), 255, np.uint8)
    out[: h * w] = labels.reshape(h, 2, w, 2, 3).transpose(0, 2, 1, 3, 4).reshape(h * w, 4, 3)
    return out


def query_bags(labels, side, sizes):
    """What lies in each query's cell: u8 [side², Σ sizes] flags over (class, colour, character) names, label 0 being nothing."""
    h, w, _ = labels.shape
    cell = ((np.arange(h) * 2 + 1) * side // (2 * h))[:, None] * side + ((np.arange(w) * 2 + 1) * side // (2 * w))[None]
    bags = np.zeros((side * side, 1 + sum(sizes)), np.uint8)
    start = 1
    for kind, size in enumerate(sizes):
        label = labels[..., kind].astype(np.int64)
        bags[cell, np.where(label > 0, start + label - 1, 0)] = 1
        start += size
    return bags[:, 1:]


def query_letters(labels, side):
    """The characters of each query's cell on a side×side grid of its own, nearest cells taken: u8 [side², side²]."""
    h, w, _ = labels.shape
    n = side * side
    fine = labels[(2 * np.arange(n) + 1) * h // (2 * n)][:, (2 * np.arange(n) + 1) * w // (2 * n), 2]
    return fine.reshape(side, side, side, side).transpose(0, 2, 1, 3).reshape(n, n)


def query_things(labels, side, classes, colours):
    """Which coloured shapes each query's cell holds: u8 [side², classes, colours] by label number."""
    h, w, _ = labels.shape
    cell = ((np.arange(h) * 2 + 1) * side // (2 * h))[:, None] * side + ((np.arange(w) * 2 + 1) * side // (2 * w))[None]
    things = np.zeros((side * side, classes, colours), np.uint8)
    things[cell, labels[..., 0], labels[..., 1]] = 1
    return things


def middles(labels, side, classes, colours):
    """How many things have their middle in each query's cell: u8 [side², classes, colours]. A thing is a connected patch of cells of
    one class and colour, so that two touching ones of a kind count as one."""
    h, w, _ = labels.shape
    kind = labels[..., 0].astype(np.int64) * colours + labels[..., 1]
    kind[(labels[..., 0] == 0) | (labels[..., 0] >= AREA_FROM)] = 0
    grid, name = np.pad(kind, 1), np.arange((h + 2) * (w + 2)).reshape(h + 2, w + 2)
    joined = [(axis, grid == np.roll(grid, 1, axis)) for axis in (0, 1)]
    while True:
        before = name
        for axis, same in joined:
            name = np.where(same, np.maximum(name, np.roll(name, 1, axis)), name)
            back = np.roll(same, -1, axis)
            name = np.where(back, np.maximum(name, np.roll(name, -1, axis)), name)
        if (name == before).all():
            break
    out = np.zeros((side * side, classes, colours), np.uint8)
    name = np.where(grid > 0, name, -1)[1:-1, 1:-1]
    for n in np.unique(name[name >= 0]):
        y, x = np.nonzero(name == n)
        cell = int((y.mean() + 0.5) * side / h) * side + int((x.mean() + 0.5) * side / w)
        out[cell][tuple(labels[y[0], x[0], :2])] += 1
    return out


def spots(labels, classes, colours):
    """Per class and colour: how many cells of the view, and the sums of their rows and columns. f32 [classes, colours, 3]"""
    h, w, _ = labels.shape
    y, x = np.mgrid[:h, :w]
    out = np.zeros((classes, colours, 3), np.float32)
    np.add.at(out, (labels[..., 0], labels[..., 1]), np.stack([np.ones((h, w)), y, x], -1))
    return out


def unpack(meta, blob):
    """One record -> views [[h, w, 3] u8, …] and label grids [[2h/14, 2w/14, 3] u8, …] in prompt order."""
    data, at, out = np.frombuffer(blob, np.uint8), 0, ([], [])
    for part, cell in enumerate((1, CELL)):
        for w, h in meta["views"]:
            size = (h // cell, w // cell, 3)
            out[part].append(data[at : at + size[0] * size[1] * 3].reshape(size))
            at += size[0] * size[1] * 3
    return out


def mistype(rng, text):
    """The same question as a hurried person types it: case, the final mark, spaces."""
    roll = rng.random()
    if roll < 0.10:
        text = text.lower()
    elif roll < 0.13:
        text = text.upper()
    if rng.random() < 0.12:
        text = text.rstrip("?.! ")
    if rng.random() < 0.03:
        text = " " + text
    if rng.random() < 0.03:
        text = text + " "
    return text


EARLY = ("color", "shape", "presence", "relation", "border", "absent")  # the kinds that are learned first


class Packer:
    """Packs the questions of one picture behind it: each sees the picture and itself only.

    A segment is question + <|assistant|> + answer + <|end|>, and for later turns <|user|> + … again."""

    def __init__(self, tokenizer, limit=96, mangle=0.25, known=1.0):
        """`known`: share kept of questions other than counting, sizes, places and reading, once the model knows the rest."""
        self.tokenizer, self.limit, self.mangle, self.known = tokenizer, limit, mangle, known

    def segment(self, rng, qa, vary):
        """-> ids, answer flags (2 where the answer is spelled)"""
        t, ids, answer = self.tokenizer, [], []
        for i, (question, reply) in enumerate(qa["turns"]):
            if vary:
                question = mistype(rng, question)
            broken = vary and rng.random() < self.mangle * 0.4
            q = ([t.user] if i else []) + t.encode(question, broken and rng) + [t.assistant]
            # In a conversation only the reading is spelled: other answers are single words such as "red".
            whole = t.encode(reply)
            spelled = qa["spell"] and (len(qa["turns"]) == 1 or len(whole) > 1)
            a = (t.spell(reply) if spelled else whole) + [t.end]
            ids += q + a
            answer += [0] * len(q) + [1 + spelled] * len(a)
        return ids, answer

    def pack(self, rng, questions, vary=True):
        """-> ids, segment numbers from 1, answer flags, kinds"""
        ids, seg, ans, kinds = [], [], [], []
        for qa in rng.sample(questions, len(questions)):
            if self.known < 1 and qa["kind"] in EARLY and rng.random() > self.known:
                continue
            i, a = self.segment(rng, qa, vary)
            if len(ids) + len(i) > self.limit:
                continue
            kinds.append(qa["kind"])
            ids, ans, seg = ids + i, ans + a, seg + [len(kinds)] * len(i)
        return ids, seg, ans, kinds


def prefix_ids(tokenizer, grid, queries):
    """Ids from <|user|> to the end of the picture; −1 stands for a resampled row."""
    cols, rows = grid
    view, ids = [-1] * queries, [tokenizer.user]
    for _ in range(rows):
        for c in range(cols):
            ids += ([tokenizer.comma] if c else []) + view
        ids.append(tokenizer.newline)
    return ids + view


def batch_size(views, text, target=26):
    """Pictures of a batch so that each batch holds about `target` views (and with text not too few pictures)."""
    return max(6 if text else 4, target // views) if views > 1 else target


def collate(items):
    """One batch of numpy arrays from pictures of one slice grid."""
    out = {"grid": items[0]["grid"], "seed": max(i["seed"] for i in items), "shapes": [s for i in items for s in i["shapes"]]}
    for key in ("patches", "labels", "bags", "things", "middles", "spots", "letters"):
        out[key] = np.concatenate([i[key] for i in items])
    if items[0].get("ids"):
        n = -(-max(len(i["ids"]) for i in items) // 8) * 8
        for key, dtype in (("ids", np.int64), ("seg", np.int32), ("ans", np.uint8)):
            out[key] = np.stack([np.pad(np.asarray(i[key], dtype), (0, n - len(i[key]))) for i in items])
        out["kinds"] = [i["kinds"] for i in items]
    return out


def batches(stream, labels, packer=None, side=4, seed=0, vary=True, target=26, sliced=1.0, most=0, flush=False):
    """Batches from a scene stream, one slice grid each. Without a packer they carry no text.
    `most` > 0 keeps only pictures with at most so many different coloured shapes: an easy beginning.
    `sliced` is the share of sliced pictures that is kept: they cost as much as several whole ones."""
    rng, bins = random.Random(seed), {}
    sizes = [len(labels[k]) - 1 for k in ("classes", "colours", "characters")]
    for meta, blob in records(stream):
        shapes = [(h // PATCH, w // PATCH) for w, h in meta["views"]]
        if max(h * w for h, w in shapes) > SLOTS or (len(shapes) > 1 and rng.random() > sliced):
            continue
        views, grids = unpack(meta, blob)
        item = {"seed": meta["seed"], "grid": tuple(meta["grid"]), "shapes": shapes}
        if packer:
            item["ids"], item["seg"], item["ans"], item["kinds"] = packer.pack(rng, meta["qa"], vary)
        if most and len({(int(a), int(b)) for a, b, _ in grids[-1].reshape(-1, 3) if 0 < a < AREA_FROM}) > most:
            continue
        item["patches"] = np.stack([patch_rows(v) for v in views])
        item["labels"] = np.stack([patch_labels(g) for g in grids])
        item["bags"] = np.stack([query_bags(g, side, sizes) for g in grids])
        item["things"] = np.stack([query_things(g, side, *(len(labels[k]) for k in ("classes", "colours"))) for g in grids])
        item["letters"] = np.stack([query_letters(g, side) for g in grids])
        item["spots"] = spots(grids[-1], len(labels["classes"]), len(labels["colours"]))[None]
        item["middles"] = middles(grids[-1], side, len(labels["classes"]), len(labels["colours"]))[None]
        key = item["grid"], bool(item.get("ids"))  # pages of glyphs have no questions; they make batches of their own
        held = bins.setdefault(key, [])
        held.append(item)
        if len(held) >= batch_size(len(views), key[1], target):
            yield collate(bins.pop(key))
    if flush:
        for held in bins.values():
            yield collate(held)


def _read(queue, command, labels, packer, **options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=1 << 22)
    try:
        for batch in batches(process.stdout, labels, packer, **options):
            queue.put(batch)
    finally:
        process.kill()
        queue.put(None)


class Reader:
    """Batches made by another process, so that the training core never waits for a picture."""

    def __init__(self, command, labels, packer=None, ahead=24, **options):
        context = multiprocessing.get_context("fork")
        self.queue = context.Queue(ahead)
        self.process = context.Process(target=_read, args=(self.queue, command, labels, packer), kwargs=options, daemon=True)
        self.process.start()

    def next(self):
        batch = self.queue.get()
        if batch is None:
            raise RuntimeError("the scene generator ended; run its command by hand to see why")
        return batch

    def close(self):
        self.process.terminate()
