"""Scores a checkpoint or a GGUF pair on held-out scenes, beside shuffled pictures and the most frequent answer.

Teacher-forced: an answer counts when every token is the arg-max given the true ones before it, which is when greedy decoding
is exactly right. The examination that is published is the runtime's own (`loupe exam`); this one is for looking on."""

import argparse
import json
import subprocess
from collections import Counter
from pathlib import Path

import torch

import data
import losses
from model import Form, Model
from restore import read_pair
from tokenizer import Tokenizer


def load(path):
    """A checkpoint of train.py, or FOLDER/STEM of a pair as `folder/loupe-base-q8_0`."""
    path = Path(path)
    if path.suffix != ".pt":
        return read_pair(path.with_name(path.name + ".gguf"), path.with_name("mmproj-" + path.name + ".gguf"))
    state = torch.load(path, weights_only=False, map_location="cpu")
    model = Model(Form(**json.loads(state["form"])))
    model.load_state_dict({k: v for k, v in state["optimiser"]["master"].items() if not k.startswith(("dense.", "bags.", "found.", "middles."))})
    return model.eval()


def answers(batch):
    """The answer ids of every segment, for the most-frequent-answer baseline: {(picture, segment): ids}."""
    out = {}
    for p in range(len(batch["ids"])):
        for i, s, a in zip(batch["ids"][p], batch["seg"][p], batch["ans"][p]):
            if a:
                out.setdefault((p, int(s)), []).append(int(i))
    return out


@torch.no_grad()
def right(model, tokenizer, batch, shuffled):
    """(picture, segment) pairs answered wrongly."""
    patches = torch.from_numpy(batch["patches"]).float() / 127.5 - 1
    _, rows = model.see(patches, batch["shapes"])
    n = len(batch["ids"])
    rows = rows.view(n, -1, rows.shape[-1])
    rows = rows.roll(1, 0) if shuffled else rows
    prefix = data.prefix_ids(tokenizer, batch["grid"], model.form.side_queries**2)
    logits, target, of = losses.answer_logits(model, rows.reshape(-1, model.form.side_queries**2, rows.shape[-1]), prefix, batch)
    return {(int(p), int(s)) for p, s in of[logits.argmax(-1) != target]}


def evaluate(model, tokenizer, stream, labels):
    """{kind: [n, right, right with another picture, most frequent answer's share]}, and the same by slice grid."""
    hits, frequent, grids = {}, {}, {}
    packer = data.Packer(tokenizer, limit=160)
    for batch in data.batches(stream, labels, packer, side=model.form.side_queries, vary=False, flush=True):
        if "ids" not in batch:
            continue
        true, other = (right(model, tokenizer, batch, s) for s in (False, True))
        for key, ids in answers(batch).items():
            kind = batch["kinds"][key[0]][key[1] - 1]
            for table, name in ((hits, kind), (grids, "x".join(map(str, batch["grid"])))):
                row = table.setdefault(name, [0, 0, 0])
                row[0], row[1], row[2] = row[0] + 1, row[1] + (key not in true), row[2] + (key not in other)
            frequent.setdefault(kind, Counter())[tuple(ids)] += 1
    table = {k: [n, round(a / n, 3), round(b / n, 3), round(frequent[k].most_common(1)[0][1] / n, 3)] for k, (n, a, b) in sorted(hits.items())}
    return table, {k: [n, round(a / n, 3)] for k, (n, a, _) in sorted(grids.items())}


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("model")
    p.add_argument("--loupe", default="target/debug/loupe")
    p.add_argument("--tokenizer", type=Path, default=Path(__file__).with_name("tokenizer.json"))
    p.add_argument("--count", type=int, default=400)
    p.add_argument("--seed", type=int, default=2**31)
    p.add_argument("--threads", type=int, default=1)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    labels = json.loads(Path(__file__).with_name("labels.json").read_text())
    command = data.scene_command(o.loupe, o.seed, o.count)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        kinds, grids = evaluate(load(o.model), Tokenizer.load(o.tokenizer), process.stdout, labels)
    print(json.dumps({"kinds": kinds, "grids": grids}))
    for kind, (n, a, b, c) in kinds.items():
        print(f"{kind:12s} n {n:5d}  right {a:.3f}  another picture {b:.3f}  most frequent answer {c:.3f}")
    print("  ".join(f"{g}: {a:.3f} of {n}" for g, (n, a) in grids.items()))
