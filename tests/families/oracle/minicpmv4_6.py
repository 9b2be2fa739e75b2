"""MiniCPM-V 4.6: slices of the picture's own shape, a NaViT SigLIP that thins its patches on the way (16x) or does not (4x), a merger;
Qwen3.5, three layers of gated delta net to one of gated attention.

Reference: MiniCPMV4_6ForConditionalGeneration and MiniCPMV4_6Processor of transformers. Its template is told second-hand by those
who run it: pieces of a message on lines of their own, an empty thought before the answer; the rest is Qwen3.5's."""

from transformers import (MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration, MiniCPMV4_6ImageProcessorPil,
                          MiniCPMV4_6Processor, MiniCPMV4_6VideoProcessor, PreTrainedTokenizerFast)

import convert
import tokens
from family import Family, strip
from weights import randomise

TABLE = 18  # the published table is 70 × 70

TEMPLATE = """{%- macro render(content) %}
    {%- if content is string %}
        {{- content }}
    {%- else %}
        {%- for item in content %}
            {%- if not loop.first %}{{- '\\n' }}{%- endif %}
            {%- if item.type == 'image' %}
                {{- '<|image_pad|>' }}
            {%- elif item.type == 'video' %}
                {{- '<|video_pad|>' }}
            {%- elif 'text' in item %}
                {{- item.text }}
            {%- else %}
                {{- raise_exception('Unexpected item type in content.') }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}
{%- if not messages %}
    {{- raise_exception('No messages provided.') }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- if not ns.found and message.role == 'user' %}
        {%- set ns.found = true %}
        {%- set ns.last = messages|length - 1 - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = render(message.content)|trim %}
    {%- if message.role == 'system' %}
        {%- if not loop.first %}
            {{- raise_exception('System message must be at the beginning.') }}
        {%- endif %}
        {{- '<|im_start|>system\\n' + content + '<|im_end|>\\n' }}
    {%- elif message.role == 'user' %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n\\n</think>\\n\\n' + content + '<|im_end|>\\n' }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
        {%- endif %}
    {%- else %}
        {{- raise_exception('Unexpected message role.') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is true %}
        {{- '<think>\\n' }}
    {%- else %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

MARKERS = dict(image_token="<|image_pad|>", video_token="<|video_pad|>", image_start_token="<image>", image_end_token="</image>",
               slice_start_token="<slice>", slice_end_token="</slice>", image_id_start_token="<image_id>",
               image_id_end_token="</image_id>")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<think>", "</think>",
           *MARKERS.values()]


class MiniCpmV46(Family):
    name, pre, pad, halves = "minicpmv4_6", "qwen35", "<|image_pad|>", True
    mode, area = "16x", 224  # the published side is 448: pictures are half as large as those that are known to tie there
    sizes = [(320, 240), (50, 1000), (1, 1), (225, 225), (300, 150), (525, 525), (550, 550), (336, 504), (1500, 375), (375, 1500),
             (585, 1266), (300, 118)]
    detailed = [(320, 240), (50, 1000)]

    def build(self, folder, seed):
        tokenizer = tokens.byte_pairs(tokens.split(tokens.QWEN35), SPECIAL, nfc=True, blank_line=True)
        tokens.save(tokenizer, folder, TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>", extra_special_tokens=MARKERS)
        ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
        text = dict(model_type="qwen3_5_text", vocab_size=tokens.SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
                    num_attention_heads=2, num_key_value_heads=1, head_dim=16, linear_key_head_dim=8, linear_value_head_dim=8,
                    linear_num_key_heads=4, linear_num_value_heads=4, max_position_embeddings=8192, tie_word_embeddings=True,
                    eos_token_id=ids["<|im_end|>"], rope_parameters=dict(
                        rope_type="default", rope_theta=1e7, partial_rotary_factor=0.25, mrope_section=[1, 1, 0],
                        mrope_interleaved=True))
        vision = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=14 * TABLE,
                      patch_size=14)
        config = MiniCPMV4_6Config(text_config=text, vision_config=vision, insert_layer_id=1, image_size=self.area,
                                   image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
                                   downsample_mode=self.mode, tie_word_embeddings=True)
        config._attn_implementation = "eager"
        self.model = MiniCPMV4_6ForConditionalGeneration(config).eval().float()
        randomise(self.model, seed, self.halves)
        self.model.tie_weights()
        images = MiniCPMV4_6ImageProcessorPil(scale_resolution=self.area, downsample_mode=self.mode)
        self.processor = MiniCPMV4_6Processor(images, MiniCPMV4_6VideoProcessor(), PreTrainedTokenizerFast.from_pretrained(folder),
                                              chat_template=TEMPLATE)
        self.model.save_pretrained(folder)
        images.save_pretrained(folder)

    def files(self, folder, out):
        for name, vision in (("text", False), ("mmproj", True)):
            convert.convert(folder, out / f"{name}.gguf", self.pre, "tiny MiniCPM-V 4.6", vision, self.halves)

    def taps(self):
        vision = self.model.model.vision_tower
        return dict(embed=vision.embeddings, vision=vision.encoder.layers, post=vision.post_layernorm,
                    rows=self.model.model.merger, text=self.model.model.language_model.layers)

    def look(self, image):
        made = self.processor.image_processor([image], do_rescale=False, do_normalize=False, return_tensors="pt")
        return strip(made["pixel_values"][0], made["target_sizes"], 14)

    def order(self, count):
        return [*range(1, count), 0]

    def part(self, key, outputs, inputs):
        if key == "rows":
            return outputs[0]
        sizes = inputs["target_sizes"].prod(-1)
        thinner = int(sizes.sum()) // outputs[0].shape[1]
        return outputs[0][0].split((sizes // thinner).tolist())


class MiniCpmV46Finer(MiniCpmV46):
    name, mode = "minicpmv4_6-4x", "4x"
    unwritten = ("vit_merger",)
    sizes = [size for size in MiniCpmV46.sizes if size != (375, 1500)] + [(37, 53)]


FAMILIES = [MiniCpmV46, MiniCpmV46Finer]
