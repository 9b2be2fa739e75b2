"""Runs the original on each case and writes cases.safetensors; the format is in tests/fixtures/families/README.md."""

import contextlib
import hashlib
import json

import numpy as np
import torch
from safetensors.numpy import save_file

import cases
from pictures import picture

ANSWER = 8  # tokens, of which those are left out that rounding could decide
LEAD = 0.05
ALL_ROWS = 8  # a view of at most so many connector rows is recorded whole


def three(rows):
    """The first, the middle and the last row."""
    return rows[[0, len(rows) // 2, len(rows) - 1]]


@contextlib.contextmanager
def listening(taps):
    """Collects what modules put out, call by call: {"vision.0": [tensor, …], …}. The modules of a list are numbered."""
    heard, hooks = {}, []
    for name, modules in taps.items():
        numbered = hasattr(modules, "__len__")
        for i, module in enumerate(modules if numbered else [modules]):
            key = f"{name}.{i}" if numbered else name

            def keep(module, arguments, output, key=key):
                heard.setdefault(key, []).append(output[0] if isinstance(output, tuple) else output)

            hooks.append(module.register_forward_hook(keep))
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def arranged(family, views, counts):
    """All pictures' views from the processor's order into Loupe's."""
    out, begin = [], 0
    for count in counts:
        out += [views[begin + i] for i in family.order(count)]
        begin += count
    return out


def answer(family, inputs, logits):
    """The beginning of the greedy answer in which each token leads by at least LEAD, and the smallest lead."""
    taken, leads, inputs = [], [], dict(inputs)
    for _ in range(ANSWER):
        best = logits.topk(2)
        lead = float(best.values[0] - best.values[1])
        if lead < LEAD:
            break
        taken.append(int(best.indices[0]))
        leads.append(lead)
        ids = torch.cat([inputs["input_ids"], best.indices[:1][None]], 1)
        inputs |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        logits = family.logits(inputs)
    return taken, min(leads, default=LEAD)


@torch.no_grad()
def run(family, case):
    """(the case's entry, its tensors)"""
    images = [picture(*p) for p in case["pictures"]]
    looked = [family.look(image) for image in images]
    counts = [len(views) for views in looked]
    pixels = [[views[i] for i in family.order(len(views))] for views in looked]
    text, inputs = family.inputs(case, images)
    with listening(family.taps()) as heard:
        logits = family.logits(inputs)
    ids = inputs["input_ids"][0].tolist()
    assert family.encode(text) == ids
    entry = dict(name=case["name"], pictures=case["pictures"], history=case["history"], question=case["question"],
                 views=[[[v.shape[1], v.shape[0]] for v in views] for views in pixels],
                 pixels=[hashlib.sha256(b"".join(v.tobytes() for v in views)).hexdigest() for views in pixels],
                 ids=ids, text=text)
    out = {"logits": logits.numpy()}
    for key, outputs in heard.items():
        name, _, layer = key.partition(".")
        if name == "text":
            if case["detailed"]:
                out[f"text.{layer}"] = three(outputs[0][0]).numpy()
            continue
        views = arranged(family, family.part(key, outputs, inputs), counts)
        assert len(views) == sum(counts)
        for i, rows in enumerate(views):
            if name == "rows":
                out[f"view.{i}.rows"] = (rows if len(rows) <= ALL_ROWS else three(rows)).numpy()
            elif case["detailed"]:
                out[f"view.{i}." + (f"layer.{layer}" if name == "vision" else name)] = three(rows).numpy()
    if case["answered"]:
        entry["answer"], entry["lead"] = answer(family, inputs, logits)
    return entry, {f"{case['name']}.{key}": np.ascontiguousarray(a, np.float32) for key, a in out.items()}


@torch.no_grad()
def check_that_pictures_matter(family, case):
    """Fails where another picture of the same size would give the same answer: then this proves nothing."""
    width, height, seed = case["pictures"][0]
    one, other = (family.logits(family.inputs(case, [picture(width, height, s)])[1]) for s in (seed, seed + 1))
    moved = float((one - other).abs().max())
    print(f"{family.name}: another picture moves the logits by {moved:.2f}")
    assert moved > 0.05, f"{family.name}: another picture moves the logits by {moved} only"


def write(family, out):
    """All cases of one family."""
    entries, tensors = [], {}
    table = cases.table(family.sizes, family.detailed)
    check_that_pictures_matter(family, table[0])
    for case in table:
        entry, made = run(family, case)
        entries.append(entry)
        tensors |= made
    # One key only: the writer leaves the order of several to chance.
    told = json.dumps(entries, ensure_ascii=False, separators=(",", ":"))
    save_file(tensors, out / "cases.safetensors", metadata={"cases": told})
    return entries, tensors
