"""Trains the model for a given time: first the eye alone on dense labels (`--stage eye`), then everything (`--stage joint`).

The learning rate follows the wall clock: warm-up, a plateau, and a linear fall to zero over the last part. One JSON line
every 30 s goes to the log. Interrupted, it goes on from its checkpoint with `--resume`."""

import argparse
import json
import os
import signal
import time
from pathlib import Path

import torch

import data
import losses
from grounding import FoundHead, Grounding, MiddleHead
from model import Form, Model
from muon import Optimiser
from tokenizer import Tokenizer, naming, word_ids


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    a = p.add_argument
    a("--stage", choices=("eye", "joint"), required=True)
    a("--minutes", type=float, required=True)
    a("--dir", type=Path, required=True, help="checkpoints and log")
    a("--loupe", default="target/debug/loupe", help="the program whose `scenes` command renders")
    a("--scenes", default="", help="further arguments for `loupe scenes`, spaces between")
    a("--tokenizer", type=Path)
    a("--labels", type=Path, default=Path(__file__).with_name("labels.json"))
    a("--init", type=Path, help="start from the weights of this checkpoint")
    a("--resume", action="store_true", help="go on from DIR's own checkpoint: optimiser, clock, seeds")
    a("--threads", type=int, default=1)
    a("--seed", type=int, default=1, help="first scene seed and seed of the weights")
    a("--muon-lr", type=float, default=0.01)
    a("--adam-lr", type=float, default=2e-3)
    a("--vision-lr", type=float, default=1.0, help="factor on the ViT's matrices")
    a("--warm", type=float, default=0.5, help="minutes")
    a("--fall", type=float, default=0.3, help="part of the time over which the learning rate falls to 0")
    a("--views", type=int, default=26, help="views of a batch")
    a("--sliced", type=float, default=1.0, help="share of sliced pictures that is kept")
    a("--dense", type=float, default=1.0, help="weight of the labels of cells")
    a("--bags", type=float, default=1.0, help="weight of what rows hold")
    a("--looks", type=float, default=0.5, help="weight of where the decoder looks and what it finds")
    a("--most", type=int, default=0, help="only pictures with at most so many different coloured shapes")
    a("--known", type=float, default=1.0, help="share kept of the questions that are learned first")
    a("--form", default="{}", help="JSON: sizes other than Form's")
    return p.parse_args()


class Trainer:
    def __init__(self, o):
        torch.set_num_threads(o.threads)
        torch.manual_seed(o.seed)
        o.dir.mkdir(parents=True, exist_ok=True)
        self.o, self.labels = o, json.loads(o.labels.read_text())
        self.tokenizer = Tokenizer.load(o.tokenizer) if o.tokenizer else None
        form = json.loads(o.form)
        if self.tokenizer:
            form["vocab"] = len(self.tokenizer)
        self.model = Model(Form(**form))
        self.model.dense = losses.DenseHead(self.model.form.vision_width, self.labels)
        if o.stage == "joint":
            self.model.bags = losses.BagHead(self.model.form.width, word_ids(self.tokenizer, self.labels), self.model.form.side_queries, len(self.labels["characters"]))
            self.grounding = self.grounds()
        self.model.bfloat16()
        self.optimiser = Optimiser(self.model, o.muon_lr, o.adam_lr, vision=o.vision_lr)
        self.elapsed, self.next_seed, self.pictures = 0.0, o.seed, 0
        self.checkpoint = o.dir / f"{o.stage}.pt"
        if o.resume and self.checkpoint.exists():
            self.load(self.checkpoint, True)
        elif o.init:
            self.load(o.init, False)
        packer = data.Packer(self.tokenizer, known=o.known) if o.stage == "joint" else None
        views = o.views if packer else 2 * o.views
        command = data.scene_command(o.loupe, self.next_seed, extra=o.scenes.split())
        self.reader = data.Reader(command, self.labels, packer, target=views, sliced=o.sliced, most=o.most, seed=self.next_seed)
        self.asked_to_stop = False  # by SIGTERM: saves first
        self.sums, self.log = {}, open(o.dir / "log.jsonl", "a", buffering=1)
        self.log.write(json.dumps({"arguments": {k: str(v) for k, v in vars(o).items()}, "form": json.loads(self.model.form.json())}) + "\n")

    def grounds(self):
        """What the attention loss knows of words."""
        t, shapes = self.tokenizer, self.labels["classes"].index("glyph") - 1
        first = len(self.labels["classes"]) + len(self.labels["colours"]) - 2
        letters = {t.spell(c)[0]: first + i for i, c in enumerate(self.labels["characters"][1:])}
        names = [t.encode(n)[0] for n in self.labels["classes"][1 : shapes + 1] + self.labels["colours"][1:]]
        side = self.model.form.side_queries
        self.model.middles = MiddleHead(self.model.form.width, shapes, len(self.labels["colours"]) - 1)
        self.model.found = FoundHead(self.model.form.width, names, side)
        return Grounding(naming(t, self.labels), letters, shapes, side**2)

    def load(self, path, whole):
        state = torch.load(path, weights_only=False)
        if state["stage"] == "eye" and not whole:  # the rest of the model was not trained there
            eye = ("patch.", "position", "vision.", "post_ln.", "dense.")
            state["optimiser"]["master"] = {n: t for n, t in state["optimiser"]["master"].items() if n.startswith(eye)}
        self.optimiser.load(state["optimiser"], whole)
        if whole:
            self.elapsed, self.next_seed, self.pictures = state["elapsed"], state["seed"] + 1, state["pictures"]

    def save(self):
        state = {"optimiser": self.optimiser.state(), "elapsed": self.elapsed, "seed": self.next_seed, "pictures": self.pictures,
                 "form": self.model.form.json(), "stage": self.o.stage}
        torch.save(state, self.checkpoint.with_suffix(".tmp"))
        os.replace(self.checkpoint.with_suffix(".tmp"), self.checkpoint)

    def scale(self):
        """The learning rate's factor now."""
        o, total = self.o, self.o.minutes * 60
        warm = min(1.0, (self.elapsed + 1) / (o.warm * 60))
        return warm * max(0.0, min(1.0, (1 - self.elapsed / total) / o.fall))

    def loss(self, batch):
        """All losses of one batch; what the log shows goes to `sums`."""
        o, m = self.o, self.model
        patches = torch.from_numpy(batch["patches"]).bfloat16().mul_(1 / 127.5).sub_(1)
        vision, rows = m.see(patches, batch["shapes"])
        dense, hits, of = m.dense(vision, torch.from_numpy(batch["labels"]))
        for name, h, n in zip(("class", "colour", "character"), hits, of):
            self.add(name, h, n)
        self.add("dense", float(dense.detach()))
        if o.stage == "eye":
            return o.dense * dense
        bags, letters = m.bags(rows, m.embedding, torch.from_numpy(batch["bags"]), torch.from_numpy(batch["letters"]))
        self.add("letters", float(letters.detach()))
        bags = bags + 0.5 * letters
        self.add("bags", float(bags.detach()))
        if "ids" not in batch:
            return o.dense * dense + o.bags * bags
        prefix = data.prefix_ids(self.tokenizer, batch["grid"], rows.shape[1])
        logits, target, of, looks = losses.answer_logits(m, rows, prefix, batch, self.grounding)
        each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
        self.score(batch, each.detach(), logits.detach().argmax(-1) == target, of)
        # A long answer weighs as the root of its length, or letters would drown words.
        slot = of[:, 0] * 64 + of[:, 1]
        weight = torch.bincount(slot)[slot] ** -0.5
        answers = (each * weight).sum() / weight.sum()
        overview = rows.view(len(batch["ids"]), -1, *rows.shape[1:])[:, -1]
        middles = m.middles(overview, torch.from_numpy(batch["middles"]))
        self.add("middles", float(middles.detach()))
        self.add("answers", float(answers.detach()))
        for i, look in enumerate(looks):
            self.add(f"look{i}", float(look.detach()))
        return answers + o.dense * dense + o.bags * bags + o.looks * (sum(looks) + 2 * middles)

    def score(self, batch, each, right, of):
        """Running accuracy by kind: an answer is right when every token is, given the ones before (= greedy decoding is)."""
        segments = max(len(k) for k in batch["kinds"]) + 1
        wrong = torch.zeros(len(batch["kinds"]), segments).index_put_((of[:, 0].long(), of[:, 1].long()), (~right).float(), accumulate=True)
        wrong = (wrong > 0).tolist()
        for p, kinds in enumerate(batch["kinds"]):
            for s, kind in enumerate(kinds):
                self.add("is " + kind, 1.0 - wrong[p][s + 1])

    def add(self, name, value, count=1.0):
        s = self.sums.setdefault(name, [0.0, 0.0])
        s[0] += value
        s[1] += count

    def report(self):
        means = {k: round(v / max(n, 1), 4) for k, (v, n) in sorted(self.sums.items())}
        line = {"t": round(self.elapsed), "steps": self.optimiser.steps, "pictures": self.pictures, "lr": round(self.scale(), 4), **means}
        self.log.write(json.dumps(line) + "\n")
        self.sums = {}

    def run(self):
        start = time.time() - self.elapsed
        said = saved = time.time()
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "asked_to_stop", True))
        while self.elapsed < self.o.minutes * 60 and not self.asked_to_stop:
            batch = self.reader.next()
            self.loss(batch).backward()
            self.optimiser.step(self.scale())
            self.next_seed, self.pictures = max(self.next_seed, batch["seed"]), self.pictures + len(batch["shapes"]) // views_of(batch)
            now = time.time()
            self.elapsed = now - start
            if now - said > 30:
                said = now
                self.report()
            if now - saved > 150:
                saved = now
                self.save()
        self.report()
        self.save()
        self.reader.close()


def views_of(batch):
    cols, rows = batch["grid"]
    return cols * rows + 1


if __name__ == "__main__":
    Trainer(arguments()).run()
