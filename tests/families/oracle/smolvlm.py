"""SmolVLM (Idefics3): tiles of one size, a whole view last; a SigLIP of the tile's size, pixel shuffle; SmolLM2, a Llama.

Reference: Idefics3ForConditionalGeneration and Idefics3Processor of transformers, as SmolVLM-256M-Instruct names them."""

import json

from transformers import (Idefics3Config, Idefics3ForConditionalGeneration, Idefics3ImageProcessorPil, Idefics3Processor,
                          PreTrainedTokenizerFast)

import convert
import tokens
from family import Family, u8
from weights import randomise

TILE, LONGEST, SCALE = 64, 192, 2

# As published with SmolVLM-256M-Instruct.
TEMPLATE = ("<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
            "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
            "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
            "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
            "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>", "<global-img>", "<image>",
           "<end_of_utterance>", *(f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7))]


class SmolVlm(Family):
    name, pre, pad = "smolvlm", "smollm", "<image>"
    sizes = [(300, 75), (40, 150), (1, 1), (1, 2), (64, 64), (100, 50), (200, 10), (336, 336), (640, 480), (1170, 2532),
             (100, 2000), (333, 257)]
    detailed = [(300, 75), (40, 150)]

    def build(self, folder, seed):
        tokenizer = tokens.byte_pairs(tokens.digits(), SPECIAL, blank_line=True)
        tokens.save(tokenizer, folder, TEMPLATE, bos_token="<|im_start|>", eos_token="<end_of_utterance>",
                    unk_token="<|endoftext|>", pad_token="<|im_end|>")
        ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
        text = dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=tokens.SIZE, hidden_size=32,
                    intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                    max_position_embeddings=8192, rms_norm_eps=1e-5, rope_parameters=dict(rope_type="default", rope_theta=1e5),
                    bos_token_id=ids["<|im_start|>"], eos_token_id=ids["<end_of_utterance>"], pad_token_id=ids["<|im_end|>"],
                    tie_word_embeddings=True)
        vision = dict(hidden_size=20, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, image_size=TILE,
                      patch_size=16)
        config = Idefics3Config(text_config=text, vision_config=vision, scale_factor=SCALE, image_token_id=ids["<image>"],
                                tie_word_embeddings=True, pad_token_id=ids["<|im_end|>"])
        config._attn_implementation = "eager"
        self.model = Idefics3ForConditionalGeneration(config).eval().float()
        randomise(self.model, seed, self.halves)
        self.model.tie_weights()
        images = Idefics3ImageProcessorPil(size={"longest_edge": LONGEST}, max_image_size={"longest_edge": TILE})
        self.processor = Idefics3Processor(images, PreTrainedTokenizerFast.from_pretrained(folder),
                                           image_seq_len=(TILE // 16) ** 2 // SCALE**2, chat_template=TEMPLATE)
        self.model.save_pretrained(folder)
        images.save_pretrained(folder)
        # transformers drops from a part's configuration what the converter asks for.
        path = folder / "config.json"
        saved = json.loads(path.read_text())
        saved["text_config"]["architectures"] = text["architectures"]
        path.write_text(json.dumps(saved))

    def files(self, folder, out):
        convert.convert(folder, out / "text.gguf", self.pre, "tiny SmolVLM")
        convert.convert(folder, out / "mmproj.gguf", self.pre, "tiny SmolVLM", vision=True)

    def taps(self):
        vision = self.model.model.vision_model
        return dict(embed=vision.embeddings, vision=vision.encoder.layers, post=vision.post_layernorm,
                    rows=self.model.model.connector, text=self.model.model.text_model.layers)

    def look(self, image):
        made = self.processor.image_processor([[image]], do_rescale=False, do_normalize=False, return_tensors="pt")
        return [u8(view) for view in made["pixel_values"][0]]

    def part(self, key, outputs, inputs):
        return list(outputs[0])


FAMILIES = [SmolVlm]
