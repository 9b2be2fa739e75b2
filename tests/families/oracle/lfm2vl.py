"""LFM2-VL: one view of the picture's own shape, or tiles of 512² and a thumbnail; SigLIP2 NaFlex, whose position table is resized for
each view; pixel unshuffle and an MLP; LFM2, short convolutions and a little attention.

Reference: Lfm2VlForConditionalGeneration and Lfm2VlProcessor of transformers. Their image processor resizes with torchvision
alone, which gives other bytes on other machines; here it resizes with Pillow, as Pillow's processors of other families do: that is
at most two levels of 255 away."""

import json

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import Lfm2VlConfig, Lfm2VlForConditionalGeneration, Lfm2VlImageProcessor, Lfm2VlProcessor, PreTrainedTokenizerFast
from transformers.image_processing_backends import TorchvisionBackend

import convert
import tokens
from family import Family, u8
from weights import randomise

PATCH = 16

# LFM2.5's, with the pieces of a message that LFM2-VL adds.
TEMPLATE = """{{- bos_token -}}
{%- set ns = namespace(system_prompt="", content="") -%}
{%- if messages[0]["role"] == "system" -%}
    {%- set ns.system_prompt = messages[0]["content"] -%}
    {%- set messages = messages[1:] -%}
{%- endif -%}
{%- if ns.system_prompt -%}
    {{- "<|im_start|>system\\n" + ns.system_prompt + "<|im_end|>\\n" -}}
{%- endif -%}
{%- for message in messages -%}
    {{- "<|im_start|>" + message["role"] + "\\n" -}}
    {%- set content = message["content"] -%}
    {%- if content is not string -%}
        {%- set ns.content = "" -%}
        {%- for item in content -%}
            {%- if item["type"] == "image" -%}
                {%- set ns.content = ns.content + "<image>" -%}
            {%- elif item["type"] == "text" -%}
                {%- set ns.content = ns.content + item["text"] -%}
            {%- else -%}
                {%- set ns.content = ns.content + item | tojson -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set content = ns.content -%}
    {%- endif -%}
    {{- content + "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<|im_start|>assistant\\n" -}}
{%- endif -%}"""

SPECIAL = ["<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<|image_start|>",
           "<|image_end|>", "<|img_thumbnail|>", *(f"<|img_row_{r}_col_{c}|>" for r in range(1, 11) for c in range(1, 11))]


class PillowResize(TorchvisionBackend):
    """Stands between LFM2-VL's processor and torchvision's resize."""

    def resize(self, image, size, resample=None, antialias=True, **kwargs):
        theirs = super().resize(image, size, resample=resample, antialias=antialias, **kwargs)
        one = Image.fromarray(u8(image[0])).resize((size.width, size.height), Image.Resampling.BILINEAR)
        ours = torch.from_numpy(np.array(one)).permute(2, 0, 1)[None]
        assert (ours.int() - theirs.int()).abs().max() <= 2
        return ours


class Images(Lfm2VlImageProcessor, PillowResize):
    """LFM2-VL's own processor, its pixels Pillow's."""


class Lfm2Vl(Family):
    name, pre, pad, halves = "lfm2vl", "lfm2", "<image>", True
    # Nothing of the files tells the sides: these are cut as published. 750² and 1100² tie between 2 × 2 and 3 × 3 tiles.
    sizes = [(300, 200), (1100, 500), (1, 1), (1, 2), (60, 30), (256, 256), (336, 336), (100, 2000), (640, 480), (560, 1000),
             (750, 750), (1100, 1100)]
    detailed = [(300, 200), (1100, 500)]

    def build(self, folder, seed):
        tokenizer = tokens.byte_pairs(tokens.split(tokens.LLAMA3), SPECIAL, bos="<|startoftext|>")
        tokens.save(tokenizer, folder, TEMPLATE, bos_token="<|startoftext|>", eos_token="<|im_end|>", pad_token="<|pad|>",
                    extra_special_tokens=dict(image_token="<image>", image_start_token="<|image_start|>",
                                              image_end_token="<|image_end|>", image_thumbnail_token="<|img_thumbnail|>"))
        ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
        text = dict(model_type="lfm2", architectures=["Lfm2ForCausalLM"], vocab_size=tokens.SIZE, hidden_size=32,
                    intermediate_size=64, block_auto_adjust_ff_dim=False, num_hidden_layers=3,
                    layer_types=["conv", "full_attention", "conv"], num_attention_heads=4, num_key_value_heads=2, conv_L_cache=3,
                    conv_bias=False, max_position_embeddings=8192, rope_parameters=dict(rope_type="default", rope_theta=1e6),
                    bos_token_id=ids["<|startoftext|>"], eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|pad|>"],
                    tie_word_embeddings=True)
        vision = dict(model_type="siglip2_vision_model", hidden_size=24, intermediate_size=40, num_hidden_layers=4,
                      num_attention_heads=2, num_patches=256, patch_size=PATCH, vision_use_head=False)
        config = Lfm2VlConfig(text_config=text, vision_config=vision, image_token_id=ids["<image>"], projector_hidden_size=40)
        config._attn_implementation = "eager"
        self.model = Lfm2VlForConditionalGeneration(config).eval().float()
        randomise(self.model, seed, self.halves)
        self.model.tie_weights()
        images = Images()
        self.processor = Lfm2VlProcessor(images, PreTrainedTokenizerFast.from_pretrained(folder), chat_template=TEMPLATE)
        self.model.save_pretrained(folder)
        images.save_pretrained(folder)
        self.name_as_published(folder, text["architectures"])

    @staticmethod
    def name_as_published(folder, architectures):
        """Published folders, which the converter knows, were written by an earlier transformers."""
        path = folder / "config.json"
        saved = json.loads(path.read_text())
        saved["text_config"]["architectures"] = architectures
        path.write_text(json.dumps(saved))
        path = folder / "model.safetensors"
        older = {name.replace("vision_tower.", "vision_tower.vision_model."): tensor for name, tensor in load_file(path).items()}
        save_file(older, path, metadata={"format": "pt"})

    def files(self, folder, out):
        for name, vision in (("text", False), ("mmproj", True)):
            convert.convert(folder, out / f"{name}.gguf", self.pre, "tiny LFM2-VL", vision, self.halves)

    def taps(self):
        vision = self.model.model.vision_tower
        return dict(embed=vision.embeddings, vision=vision.encoder.layers, post=vision.post_layernorm,
                    rows=self.model.model.multi_modal_projector, text=self.model.model.language_model.layers)

    def look(self, image):
        made = self.processor.image_processor([[image]], do_rescale=False, do_normalize=False, return_tensors="pt")
        views = []
        for patches, (rows, columns) in zip(made["pixel_values"], made["spatial_shapes"].tolist()):
            part = patches[: rows * columns].reshape(rows, columns, PATCH, PATCH, 3).permute(4, 0, 2, 1, 3)
            views.append(u8(part.reshape(3, rows * PATCH, columns * PATCH)))
        return views

    def part(self, key, outputs, inputs):
        if key == "rows":
            return [output.flatten(0, -2) for output in outputs]
        return [rows[:count] for rows, count in zip(outputs[0], inputs["spatial_shapes"].prod(-1).tolist())]


FAMILIES = [Lfm2Vl]
