"""LLaVA 1.5: the middle of the picture, squared; CLIP without its last layer, its class token dropped at the end; an MLP; Vicuna, a
Llama.

Reference: LlavaForConditionalGeneration, LlavaProcessor and CLIPImageProcessorPil of transformers, as llava-1.5-7b-hf names them. The
mmproj file is written by the converter's older script, which leaves the last layer out and calls the first matrix of a layer's
network `ffn_down`."""

from transformers import (CLIPImageProcessorPil, LlamaForCausalLM, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor,
                          PreTrainedTokenizerFast)

import convert
import legacy
import pieces
import tokens
from family import Family, u8
from weights import randomise

SIDE, PATCH, LAYERS = 84, 14, 4

# As published with llava-1.5-7b-hf; `generation` is a tag of transformers' own.
TEMPLATE = ("{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}"
            "{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
            "{{ '<image>\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}"
            "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}"
            "{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
            "{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}")


class Llava(Family):
    name, pre, pad, halves = "llava", "default", "<image>", True
    unwritten = (f"encoder.layers.{LAYERS - 1}.", "post_layernorm")
    sizes = [(300, 200), (64, 150), (1, 1), (1, 2), (84, 84), (85, 84), (84, 85), (336, 336), (640, 480), (1170, 2532), (100, 2000),
             (1500, 375), (333, 257)]
    detailed = [(300, 200), (64, 150)]

    def build(self, folder, seed):
        pieces.save(folder, ["<image>", "<pad>"], tokens.SIZE, TEMPLATE, eos_token="</s>", pad_token="<pad>",
                    extra_special_tokens=dict(image_token="<image>"))
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        text = dict(model_type="llama", vocab_size=tokens.SIZE, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                    num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=4096, rms_norm_eps=1e-5,
                    rope_parameters=dict(rope_type="default", rope_theta=1e4), bos_token_id=1, eos_token_id=2,
                    pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False)
        vision = dict(model_type="clip_vision_model", hidden_size=24, intermediate_size=40, num_hidden_layers=LAYERS,
                      num_attention_heads=2, image_size=SIDE, patch_size=PATCH, projection_dim=32, hidden_act="quick_gelu")
        config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=tokenizer.image_token_id,
                             image_seq_length=(SIDE // PATCH) ** 2, vision_feature_layer=-2, vision_feature_select_strategy="default",
                             tie_word_embeddings=False)
        config._attn_implementation = "eager"
        self.model = LlavaForConditionalGeneration(config).eval().float()
        randomise(self.model, seed, self.halves)
        images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
        self.processor = LlavaProcessor(images, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
                                        num_additional_image_tokens=1, chat_template=TEMPLATE)
        decoder = LlamaForCausalLM(config.text_config)
        decoder.model, decoder.lm_head = self.model.model.language_model, self.model.lm_head
        decoder.save_pretrained(folder)

    def files(self, folder, out):
        convert.convert(folder, out / "text.gguf", self.pre, "tiny LLaVA", halves=self.halves)
        projector = {f"multi_modal_projector.{name}": p for name, p in self.model.model.multi_modal_projector.state_dict().items()}
        legacy.llava(self.llama, folder / "vision", out / "mmproj.gguf", self.model.model.vision_tower, projector)

    def taps(self):
        vision = self.model.model.vision_tower
        return dict(embed=vision.embeddings, pre=vision.pre_layrnorm, vision=vision.encoder.layers[:-1],
                    rows=self.model.model.multi_modal_projector, text=self.model.model.language_model.layers)

    def look(self, image):
        return [u8(self.processor.image_processor([image], do_rescale=False, do_normalize=False, return_tensors="pt")["pixel_values"][0])]

    def inputs(self, case, images):
        text = self.render(case)
        inputs = self.processor(text=[text], images=images or None, return_tensors="pt")
        return text.replace(self.pad, self.pad * (SIDE // PATCH) ** 2), inputs

    def encode(self, text):
        return self.tokenizer(text)["input_ids"]

    def part(self, key, outputs, inputs):
        return list(outputs[0])


FAMILIES = [Llava]
