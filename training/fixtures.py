"""Writes tests/fixtures/stages: a tiny model of random weights in every flavour, and what PyTorch computes with it, stage by stage.

Each case is one safetensors file (names in the README there). Views come from Pillow and slicing.py, weights of the quantised
flavours from gguf-py's own dequantisation, and everything is computed in f32: nothing here shares code with the runtime."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import slicing
from data import prefix_ids
from export import MATRICES, write_pair
from losses import prompt
from model import Form, Model
from restore import read_pair
from tokenizer import Tokenizer

FORM = dict(area_side=56, vision_width=32, vision_layers=2, vision_heads=2, vision_hidden=64, side_queries=2,
            resampler_heads=2, width=32, layers=2, heads=2, hidden=64, context=512)
CASES = {  # name: (width, height, turns; the last is the question asked)
    "whole": (50, 40, [["What color is the star?", ""]]),
    "small": (17, 9, [["How many?", "3"], ["And red ones?", ""]]),
    "two": (100, 50, [["Is the blue circle left of the heart?", ""]]),
    "four": (110, 104, [["What is written here?", ""]]),
    "odd": (37, 131, [["ünïcode, 北京?\n", ""]]),
}


def picture(w, h, seed):
    """Smooth colours with noise and hard edges on them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    waves = [127 + 100 * np.sin(x / rng.uniform(3, 20) + y / rng.uniform(3, 20) + rng.uniform(0, 6)) for _ in range(3)]
    out = np.stack(waves, -1) + rng.normal(0, 12, (h, w, 3))
    out[h // 4 : h // 2, w // 3 : w // 2] = rng.integers(0, 256, 3)
    return out.clip(0, 255).astype(np.uint8)


def patches(view, p):
    """u8 [h, w, 3] -> normalised rows [patches, 3·p·p], each channel-major."""
    h, w = view.shape[0] // p, view.shape[1] // p
    x = torch.from_numpy(view.copy()).float() / 255
    x = (x - 0.5) / 0.5
    return x.view(h, p, w, p, 3).permute(0, 2, 4, 1, 3).reshape(h * w, -1)


def prompt_ids(tokenizer, form, grid, turns):
    """The chat template by hand; −1 stands for a row of the picture."""
    ids = prefix_ids(tokenizer, grid, form.side_queries**2)
    for i, (question, answer) in enumerate(turns):
        ids += ([tokenizer.user] if i else []) + tokenizer.encode(question) + [tokenizer.assistant]
        ids += tokenizer.encode(answer) + [tokenizer.end] if i + 1 < len(turns) else []
    return ids


@torch.no_grad()
def run(model, views, ids, greedy=8):
    """Every stage of every view, the logits of the whole prompt and the ids of a greedy answer."""
    p, out, rows = model.form.patch, {}, []
    for i, view in enumerate(views):
        trace, x = {}, patches(view, p)
        model.see(x[None], [(view.shape[0] // p, view.shape[1] // p)], trace)
        out |= {f"view.{i}.{k}": t[0] for k, t in {"patches": x[None], **trace}.items()}
        rows.append(trace["resampled"][0])
    rows, answer = torch.cat(rows), []
    for step in range(greedy):
        n = len(ids) + len(answer)
        x = prompt(model, rows[None], ids + answer, torch.zeros(1, 0, dtype=torch.long))
        h = model.decode(x, torch.arange(n)[None], torch.ones(1, n, n, dtype=torch.uint8).tril())
        logits = model.logits(h)[0]
        if step == 0:
            out["prompt.hidden"], out["prompt.logits"] = h[0], logits
        answer.append(int(logits[-1].argmax()))
    out["answer.ids"] = torch.tensor(answer, dtype=torch.int32)
    return out


@torch.no_grad()
def scramble(model):
    """Random weights of which none is zero or one, large enough that every stage matters."""
    for name, p in model.named_parameters():
        if p.ndim == 1:
            p.normal_(1.0 if name.endswith(("norm", "ln1.weight", "ln2.weight", "ln_q.weight", "ln_kv.weight", "ln_post.weight", "post_ln.weight")) else 0.0, 0.2)
        else:
            p.normal_(std=0.8 if name in ("embedding", "position", "resampler.query") else p.shape[1] ** -0.5)


def small(name, case):
    """Patch rows are large and follow from the views: one view is enough."""
    return not name.endswith("patches") or case == "odd" and ".0." in name


def main(folder):
    torch.set_num_threads(1)
    everything = Tokenizer.load(Path(__file__).with_name("tokenizer.json"))
    description = {"tokens": everything.tokens[:296] + everything.tokens[-3:], "merges": everything.merges[:40]}
    tokenizer = Tokenizer(description)
    form = Form(**FORM, vocab=len(tokenizer))
    model = Model(form)
    torch.manual_seed(7)
    scramble(model)
    weights = {k: v.detach() for k, v in model.named_parameters()}
    for flavour in MATRICES:
        write_pair(folder, form, tokenizer, weights, flavour, "micro", "Random weights for tests")
    models = {f: read_pair(folder / f"micro-{f}.gguf", folder / f"mmproj-micro-{f}.gguf") for f in MATRICES}
    for i, (case, (w, h, turns)) in enumerate(CASES.items()):
        pixels = picture(w, h, i)
        grid, views = slicing.views(pixels, form)
        ids = prompt_ids(tokenizer, form, grid, turns)
        out = {"picture": torch.from_numpy(pixels), "prompt.ids": torch.tensor(ids, dtype=torch.int32)}
        out |= {f"view.{k}": torch.from_numpy(v.copy()) for k, v in enumerate(views)}
        for flavour, m in models.items():
            stages = run(m, views, ids)
            if flavour != "f32" or case != "small":
                stages["prompt.logits"] = stages["prompt.logits"][-4:]
            if flavour == "f32":
                out |= {f"f32/{k}": v for k, v in stages.items() if small(k, case)}
            else:
                kept = ("resampled", "prompt.logits", "answer.ids")
                out |= {f"{flavour}/{k}": v for k, v in stages.items() if k.endswith(kept)}
        meta = {"turns": json.dumps(turns, ensure_ascii=False), "grid": json.dumps(grid), "views": str(len(views))}
        save_file({k: v.contiguous() for k, v in out.items()}, folder / f"{case}.safetensors", meta)
        print(case, grid, [v.shape[1::-1] for v in views], len(ids), "ids")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
