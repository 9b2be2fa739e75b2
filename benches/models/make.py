"""Writes model files of the benchmark into a folder: `python make.py FOLDER SET…`, of the sets `same` and `real`.

`same` are the same weights of chance in each: GGUF for Loupe, wllama and candle, ONNX for ONNX Runtime Web; `real` are files
in the shape of published models. A file that is there is not written again; each comes into being under another name first,
so that an interrupted run leaves no half of one."""

import sys
from pathlib import Path


def same():
    import gguf_files
    import onnx_files

    for flavour in gguf_files.FILE_TYPES:
        yield f"text-{flavour}.gguf", lambda path: gguf_files.write_text(path, flavour)
    for connector in ("idefics3", "resampler"):
        yield f"mmproj-{connector}-q8_0.gguf", lambda path: gguf_files.write_vision(path, connector)
    for name, write in (("vision", onnx_files.write_vision), ("text", onnx_files.write_text)):
        yield f"{name}-fp32.onnx", write
        yield f"{name}-q8.onnx", lambda path: onnx_files.write_q8(path.with_name(f"{name}-fp32.onnx"), path)


def real():
    import minicpmv
    import smolvlm

    for flavour in ("q8_0", "q4_k_m"):
        yield f"smolvlm-{flavour}.gguf", lambda path: smolvlm.write_text(path, flavour)
    yield "smolvlm-mmproj-q8_0.gguf", smolvlm.write_vision
    yield "minicpmv-4.6-q4_k_m.gguf", minicpmv.write_text
    yield "minicpmv-4.6-mmproj-q8_0.gguf", minicpmv.write_vision
    yield "minicpmv-4.0-q4_k_m.gguf", minicpmv.write_old_text
    yield "minicpmv-4.0-mmproj-f16.gguf", minicpmv.write_old_vision


def main(folder, *sets):
    folder.mkdir(parents=True, exist_ok=True)
    for chosen in sets:
        for name, write in {"same": same, "real": real}[chosen]():
            path = folder / name
            if path.exists():
                continue
            print(f"  {name}", flush=True)
            # The ending stays: the writers look at it.
            part = folder / f"part-{name}"
            write(part)
            part.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
