"""Saved model folder → GGUF pair, by llama.cpp's public converter, and a look at whether every tensor got there."""

import logging
import sys
import tarfile
from pathlib import Path

import numpy as np


PARTS = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/", "tools/mtmd/legacy-models/")


def find(root):
    """llama.cpp's folder inside the source package of llama_cpp_python, which is unpacked if it is not yet."""
    def script():
        return next(Path(root).rglob("convert_hf_to_gguf.py"), None)

    package = next(Path(root).glob("llama_cpp_python-*.tar.gz"), None)
    if script() is None and package is None:
        raise SystemExit(f"{root} holds no source package of llama_cpp_python; `cargo xtask fixtures` fetches it.")
    if script() is None:
        with tarfile.open(package) as archive:
            wanted = [m for m in archive if m.name.partition("/vendor/llama.cpp/")[2].startswith(PARTS)]
            # The script comes last: where it is, all is.
            archive.extractall(root, sorted(wanted, key=lambda m: m.name.endswith(PARTS[0])), filter="data")
    return script().parent


def load(root):
    """Makes the converter and its own gguf-py importable."""
    folder = find(root)
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    logging.getLogger("hf-to-gguf").setLevel(logging.ERROR)
    logging.getLogger("gguf").setLevel(logging.ERROR)


def convert(folder, out, pre, name, vision=False, halves=False):
    """One of the two files. `pre` is what the published tokenizer is known as: the converter knows tokenizers by the
    hash of what they make of a text, which a tiny one does not meet."""
    import conversion.base as base
    import convert_hf_to_gguf as program

    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    base.logger.setLevel(logging.ERROR)
    arguments = [str(folder), "--outfile", str(out), "--outtype", "f16" if halves else "f32", "--model-name", name]
    kept, sys.argv = sys.argv, ["convert"] + arguments + (["--mmproj"] if vision else [])
    if not vision and pre == "qwen35":
        sys.argv.append("--no-mtp")
    try:
        program.main()
    finally:
        sys.argv = kept
    logging.getLogger().setLevel(logging.WARNING)


def tensors(path):
    """{name: f32 array in PyTorch's order of dimensions} of a GGUF file."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    return {t.name: np.asarray(dequantize(t.data, t.tensor_type), np.float32).reshape(t.shape[::-1])
            for t in GGUFReader(path).tensors}


def check(files, parameters):
    """Fails unless each parameter is in one of the files with its numbers, in whatever order rows were put.

    Stored differently, and told apart here: scales that a file holds as 1 + w, −exp(A_log), a transposed projection."""
    def key(a):
        return np.sort(np.asarray(a, np.float32).ravel())

    stored = [key(a) for path in files for a in tensors(path).values()]
    for name, tensor in parameters.items():
        a = tensor.detach().float().numpy()
        forms = [a, a + 1, -np.exp(a)]
        found = any(len(s) == f.size and np.allclose(s, key(f), atol=1e-6) for f in forms for s in stored)
        assert found, f"{name} {a.shape} is in neither file"
