"""The whole road to the built-in model, one command: `cargo xtask train` (or `python3 training/road.py`).

Builds the scene generator, makes a virtual environment, trains both stages, writes the GGUF pair into models/. Interrupted, it
goes on where it was: each stage resumes from its checkpoint in target/train."""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE, WORK = ROOT / "training", ROOT / "target" / "train"
STAGES = json.loads((HERE / "stages.json").read_text())


def say(text):
    print(f"train: {text}", flush=True)


def run(*command, **options):
    subprocess.run([str(c) for c in command], check=True, cwd=ROOT, **options)


def generator():
    """Builds `loupe` and keeps a copy, so that later builds cannot change the data of a run."""
    kept = WORK / "loupe"
    if not kept.exists():
        say("building the scene generator")
        run("cargo", "build", "--features", "probe")
        built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "loupe"
        kept.write_bytes(built.read_bytes())
        kept.chmod(0o755)
    return kept


def python():
    """The virtual environment's interpreter, with the pinned packages."""
    folder = WORK / "venv"
    binary = folder / "bin" / "python"
    if not (folder / "done").exists():
        say("making a virtual environment (PyTorch is about 200 MB)")
        venv.create(folder, with_pip=True)
        run(binary, "-m", "pip", "install", "--quiet", "--extra-index-url", "https://download.pytorch.org/whl/cpu", "-r", HERE / "requirements.txt")
        (folder / "done").touch()
    return binary


def words(loupe, python):
    """Label names and tokenizer; the committed ones are used as they are."""
    if not (HERE / "labels.json").exists():
        (HERE / "labels.json").write_text(subprocess.check_output([loupe, "scenes", "--labels"], text=True))
    if not (HERE / "tokenizer.json").exists():
        say("learning the tokenizer")
        scenes = subprocess.Popen([loupe, "scenes", "--seed-from", "500000000", "--count", "20000", "--out", "-"], stdout=subprocess.PIPE)
        run(python, HERE / "tokenizer.py", HERE / "tokenizer.json", 320, stdin=scenes.stdout)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--part", type=float, default=1.0, help="part of the time that stages.json gives each stage")
    o = p.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    loupe, interpreter, before = generator(), python(), None
    words(loupe, interpreter)
    for stage in STAGES:
        folder = WORK / stage["name"]
        minutes = stage["minutes"] * o.part
        say(f"stage {stage['name']}: {minutes:.0f} minutes; progress in {folder / 'log.jsonl'}")
        init = ["--init", before] if before else []
        run(interpreter, HERE / "train.py", "--stage", stage["stage"], "--minutes", minutes, "--dir", folder, "--loupe", loupe,
            "--tokenizer", HERE / "tokenizer.json", "--threads", o.threads, "--resume", *init, *stage["arguments"])
        before = folder / f"{stage['stage']}.pt"
    run(interpreter, HERE / "export.py", before, ROOT / "models", "--tokenizer", HERE / "tokenizer.json")
    run(interpreter, HERE / "evaluate.py", before, "--loupe", loupe, "--threads", o.threads)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"train: {' '.join(map(str, error.cmd))} failed; what it said is above.")
