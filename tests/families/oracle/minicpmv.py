"""MiniCPM-V 2.6, 4.5 and 4.0: slices of the picture's own shape, a SigLIP, a resampler; Qwen2, Qwen3 or MiniCPM.

transformers has no class for them. References: `slices.py` and `resampler.py`; for text, transformers' Qwen2, Qwen3 and Llama.
mmproj files are written by the converter's older script, which is what published files were written by: it calls the first
matrix of a layer's network `ffn_down`."""

import json
from types import SimpleNamespace

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

import convert
import legacy
import pieces
import slices
import tokens
from family import Family
from resampler import Resampler, Vision
from weights import randomise

# Heads of the resampler are counted by 128 columns: a decoder's row can have no fewer.
WIDTH, QUERIES, TABLE, VOCABULARY = 128, 16, 20, 320
VISION = dict(width=16, inner=24, layers=3, heads=2)

# As published with Qwen2, and what the published code makes of a message's pieces: one string, a line each.
QWEN2 = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
         "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
         "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
# Qwen3's, without its tools; MiniCPM-V 4.5 asks for no thoughts unless told otherwise.
QWEN3 = """{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is not defined or enable_thinking is not true %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

# MiniCPM4's.
MINICPM = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
           "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")

PICTURE = "(<image>./</image>)"
MARKERS = ["<image>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>"]
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


class MiniCpmV(Family):
    pad, halves, largest = "<unk>", True, 560_000
    area = 224  # published: 448
    version, template, special = None, None, None
    sizes = [(320, 240), (50, 1000), (1, 1), (1, 2), (212, 175), (225, 225), (300, 150), (336, 168), (550, 550), (37, 53),
             (1500, 375), (400, 30)]
    detailed = [(320, 240), (50, 1000)]

    def language(self, ids):
        """The decoder, and the name of its architecture in the published configuration."""
        raise NotImplementedError

    def build(self, folder, seed):
        self.write_tokenizer(folder)
        self.processor = SimpleNamespace(tokenizer=PreTrainedTokenizerFast.from_pretrained(folder))
        ids = {token: self.tokenizer.convert_tokens_to_ids(token) for token in self.special}
        self.model = nn.ModuleDict(dict(llm=self.language(ids), vpm=Vision(**VISION, patch=slices.PATCH, table=TABLE),
                                        resampler=Resampler(QUERIES, VISION["width"], WIDTH))).eval()
        randomise(self.model, seed, self.halves)
        self.model["llm"].tie_weights()
        self.settle()
        self.model["llm"].save_pretrained(folder)

    def settle(self):
        """A last word on the weights."""

    def write_tokenizer(self, folder):
        tokenizer = tokens.byte_pairs(tokens.split(tokens.QWEN2), self.special, nfc=True, size=VOCABULARY)
        tokens.save(tokenizer, folder, self.template, eos_token="<|im_end|>", unk_token="<unk>", pad_token="<|endoftext|>")

    def files(self, folder, out):
        convert.convert(folder, out / "text.gguf", self.pre, f"tiny {self.name}", halves=self.halves)
        vision = dict(hidden_size=VISION["width"], intermediate_size=VISION["inner"], num_hidden_layers=VISION["layers"],
                      num_attention_heads=VISION["heads"], image_size=TABLE * slices.PATCH, patch_size=slices.PATCH,
                      model_type="siglip")
        config = dict(hidden_size=WIDTH, image_size=self.area, query_num=QUERIES, vision_config=vision)
        legacy.minicpmv(self.llama, folder / "vision", out / "mmproj.gguf", self.version, config,
                        self.model["vpm"].state_dict(), self.projector())

    def projector(self):
        """The resampler's tensors, as the surgery script takes them out."""
        return {f"resampler.{name}": p.detach() for name, p in self.model["resampler"].named_parameters()}

    def parameters(self):
        out = {name: p for name, p in self.model.named_parameters() if not name.startswith("resampler.")}
        for name, tensor in self.projector().items():
            parts = tensor.chunk(3) if "in_proj" in name else [tensor]
            out |= {f"{name}.{i}": part for i, part in enumerate(parts)}
        return out

    def taps(self):
        vision = self.model["vpm"]
        return dict(embed=vision.embeddings, vision=vision.encoder["layers"], post=vision.post_layernorm,
                    rows=self.model["resampler"], text=self.model["llm"].model.layers)

    def look(self, image):
        return slices.views(image, self.area)[0]

    def order(self, count):
        return [*range(1, count), 0]

    def part(self, key, outputs, inputs):
        return outputs

    def render(self, case):
        """Messages of strings: the published code joins a message's pieces by line ends, and puts rows where pictures are."""
        pictures = [PICTURE] * len(case["pictures"])
        messages = []
        for question, answer in [*case["history"], (case["question"], None)]:
            messages.append(dict(role="user", content="\n".join(pictures + [question])))
            messages += [dict(role="assistant", content=answer)] if answer is not None else []
            pictures = []
        return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    def inputs(self, case, images):
        text, views = self.render(case), []
        for i, image in enumerate(images):
            made, grid = slices.views(image, self.area)
            views += made
            columns, rows = grid or (0, 0)
            row = f"<slice>{self.pad * QUERIES}</slice>" * columns
            told = f"<image_id>{i}</image_id><image>{self.pad * QUERIES}</image>" + "\n".join([row] * rows)
            text = text.replace(PICTURE, told, 1)
        ids = torch.tensor([self.encode(text)])
        return text, dict(input_ids=ids, attention_mask=torch.ones_like(ids), views=views)

    def logits(self, inputs):
        ids = inputs["input_ids"]
        embeds = self.embed(ids)
        rows = [self.encode_view(torch.from_numpy(view)) for view in inputs["views"]]
        if rows:
            embeds[0, ids[0] == self.tokenizer.convert_tokens_to_ids(self.pad)] = torch.cat(rows)
        return self.decode(embeds)

    def embed(self, ids):
        return self.model["llm"].model.embed_tokens(ids).clone()

    def decode(self, embeds):
        return self.model["llm"](inputs_embeds=embeds, use_cache=False).logits[0, -1]

    def encode_view(self, view):
        pixels = (view.permute(2, 0, 1).float() / 255 - 0.5) / 0.5
        rows, columns = (side // slices.PATCH for side in pixels.shape[1:])
        return self.model["resampler"](self.model["vpm"](pixels), rows, columns)


def shape(ids):
    """What Qwen2 and Qwen3 have in common."""
    return dict(vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=1, head_dim=16, max_position_embeddings=8192, rms_norm_eps=1e-6, tie_word_embeddings=True,
                rope_parameters=dict(rope_type="default", rope_theta=1e6), bos_token_id=None,
                eos_token_id=ids["<|im_end|>"], attn_implementation="eager")


class MiniCpmV26(MiniCpmV):
    name, pre, version, template = "minicpmv-qwen2", "qwen2", 3, QWEN2
    special = ["<unk>", *MARKERS, *CHATML]

    def language(self, ids):
        return Qwen2ForCausalLM(Qwen2Config(**shape(ids)))


class MiniCpmV45(MiniCpmV):
    name, pre, version, template = "minicpmv-qwen3", "qwen2", 6, QWEN3
    special = ["<unk>", *MARKERS, *CHATML, "<think>", "</think>"]

    def language(self, ids):
        return Qwen3ForCausalLM(Qwen3Config(**shape(ids)))


class MiniCpmV40(MiniCpmV):
    """MiniCPM is a Llama with three scales: of embeddings, of what a half layer adds, of what the logits are made of."""

    name, pre, version, template = "minicpmv-minicpm", "default", 5, MINICPM
    special, vocabulary = [*MARKERS, "<|im_start|>", "<|im_end|>"], 384
    scales = dict(scale_emb=12, scale_depth=1.4, dim_model_base=256)

    def write_tokenizer(self, folder):
        pieces.save(folder, self.special, self.vocabulary, self.template, eos_token="<|im_end|>")

    def language(self, ids):
        plain = shape(ids) | dict(vocab_size=self.vocabulary, rope_parameters=dict(rope_type="default", rope_theta=1e4))
        model = LlamaForCausalLM(LlamaConfig(**plain))
        scale = self.scales["scale_depth"] / plain["num_hidden_layers"] ** 0.5
        for layer in model.model.layers:
            layer.self_attn.register_forward_hook(lambda module, arguments, output: (output[0] * scale, *output[1:]))
            layer.mlp.register_forward_hook(lambda module, arguments, output: output * scale)
        return model

    @torch.no_grad()
    def settle(self):
        # Embeddings are short where they are scaled: else the last token speaks for itself, over everything before it.
        self.model["llm"].model.embed_tokens.weight.mul_(0.25)
        # What the file holds is rounded after the surgery's division: the original gets that number back.
        proj = self.model["resampler"].proj
        proj.copy_((proj / self.scales["scale_emb"]).half().float() * self.scales["scale_emb"])

    def build(self, folder, seed):
        super().build(folder, seed)
        config = {key: value for key, value in shape({"<|im_end|>": self.tokenizer.eos_token_id}).items() if "rope" not in key}
        config |= dict(vocab_size=self.vocabulary, rope_theta=1e4, model_type="minicpm", architectures=["MiniCPMForCausalLM"],
                       bos_token_id=1) | self.scales
        (folder / "config.json").write_text(json.dumps(config))

    def projector(self):
        return {name: p / self.scales["scale_emb"] if name == "resampler.proj" else p for name, p in super().projector().items()}

    def encode(self, text):
        return self.tokenizer(text)["input_ids"]

    def embed(self, ids):
        return super().embed(ids) * self.scales["scale_emb"]

    def decode(self, embeds):
        return super().decode(embeds) / (WIDTH / self.scales["dim_model_base"])


FAMILIES = [MiniCpmV26, MiniCpmV45, MiniCpmV40]
