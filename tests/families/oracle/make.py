"""Writes tests/fixtures/families: tiny random models of every family as GGUF pairs, and what the originals compute with them.

usage: make.py --llama FOLDER [--seed N] [--to FOLDER] [FAMILY …]"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TQDM_DISABLE": "1"}

import torch  # noqa: E402

import convert  # noqa: E402
import record  # noqa: E402
import lfm2vl  # noqa: E402
import llava  # noqa: E402
import minicpmv  # noqa: E402
import minicpmv4_6  # noqa: E402
import smolvlm  # noqa: E402

FAMILIES = {family.name: family for module in (smolvlm, minicpmv4_6, lfm2vl, minicpmv, llava) for family in module.FAMILIES}
HERE = Path(__file__).parent


def make(family, seed, to):
    out = to / family.name
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / family.name
        family.build(folder, seed)
        family.files(folder, out)
    convert.check([out / "text.gguf", out / "mmproj.gguf"], family.parameters())
    return record.write(family, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llama", type=Path, required=True, help="the unpacked sdist of llama_cpp_python, whose converter is used")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--to", type=Path, default=HERE.parents[1] / "fixtures/families")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}; all of them unless named")
    options = parser.parse_args()
    unknown = [name for name in options.families if name not in FAMILIES]
    if unknown:
        parser.error(f"no family is called {unknown[0]}; there are {', '.join(FAMILIES)}")
    torch.set_num_threads(1)
    convert.load(options.llama)
    for name in options.families or FAMILIES:
        begun = time.monotonic()
        family = FAMILIES[name]()
        family.llama = options.llama
        entries, _ = make(family, options.seed, options.to)
        size = sum(path.stat().st_size for path in (options.to / name).iterdir())
        told = sum(len(entry.get("answer", [])) for entry in entries)
        print(f"{name}: {len(entries)} cases, {told} tokens of answers, {size} bytes, {time.monotonic() - begun:.0f} s")
        if size > family.largest:
            raise SystemExit(f"{name} is larger than {family.largest} bytes: make its widths or its cases fewer")


if __name__ == "__main__":
    main()
