"""Writes every model file of the benchmark into a folder: `python make.py FOLDER`.

The same weights of chance in each: GGUF for Loupe, wllama and candle, ONNX for ONNX Runtime Web. A file that is there is
not written again; each comes into being under another name first, so that an interrupted run leaves no half of one."""

import sys
from pathlib import Path

import gguf_files
import onnx_files


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)

    def once(name, write):
        path = folder / name
        if path.exists():
            return
        print(f"  {name}", flush=True)
        # The ending stays: the writers look at it.
        part = folder / f"part-{name}"
        write(part)
        part.rename(path)

    for flavour in gguf_files.FILE_TYPES:
        once(f"text-{flavour}.gguf", lambda path: gguf_files.write_text(path, flavour))
    for connector in ("idefics3", "resampler"):
        once(f"mmproj-{connector}-q8_0.gguf", lambda path: gguf_files.write_vision(path, connector))
    for name, write in (("vision", onnx_files.write_vision), ("text", onnx_files.write_text)):
        once(f"{name}-fp32.onnx", write)
        once(f"{name}-q8.onnx", lambda path: onnx_files.write_q8(folder / f"{name}-fp32.onnx", path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
