"""mmproj files that the public converter no longer makes: written by its own older scripts, which it keeps for them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

import convert


def run(llama, script, arguments, change=lambda source: source):
    """Runs a script of `tools/mtmd/legacy-models`, its text changed first."""
    root = convert.find(llama)
    source = change((root / "tools/mtmd/legacy-models" / script).read_text())
    done = subprocess.run([sys.executable, "-c", source, *map(str, arguments)], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(root / "gguf-py")})
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr}")


def minicpmv(llama, folder, out, version, config, vision, resampler):
    """`config` of the whole model; `vision` and `resampler` are tensors by name, as the surgery script leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(vision, folder / "minicpmv.clip")
    torch.save(resampler, folder / "minicpmv.projector")
    # Of the position table of 70 × 70, which readers compute anew, the corner of 2 × 2 is enough to be there.
    run(llama, "minicpmv-convert-image-encoder-to-gguf.py", ["-m", folder, "--minicpmv_version", version],
        lambda source: source.replace("(70, 70)", "(2, 2)"))
    Path(folder / "mmproj-model-f16.gguf").replace(out)


def llava(llama, folder, out, vision, projector):
    """`vision` is a CLIPVisionModel; `projector` its connector's tensors by name, as the surgery script leaves them."""
    vision.save_pretrained(folder)
    torch.save(projector, folder / "llava.projector")
    # In earlier transformers, for which the script was written, the encoder lay one module deeper.
    deeper = "model = torch.nn.Module(); model.vision_model = CLIPVisionModel.from_pretrained(dir_model)"
    run(llama, "convert_image_encoder_to_gguf.py",
        ["-m", folder, "--llava-projector", folder / "llava.projector", "--clip-model-is-vision", "--output-dir", folder],
        lambda source: source.replace("model = CLIPVisionModel.from_pretrained(dir_model)", deeper))
    Path(folder / "mmproj-model-f16.gguf").replace(out)
