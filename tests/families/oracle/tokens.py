"""Tokenizers of 512 tokens with the pre-tokenizer, the normaliser and the special tokens of the published ones."""

import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZE = 512

# What the merges are learnt from.
TEXT = """What is in the picture? The picture shows a red circle, a blue square and a green triangle on a white table.
How many people are there in the image? There are two people: a man and a woman. They are standing in front of the house.
Describe the image in detail. What does the sign say? The sign says "Open from 9 to 17". Read the text on the receipt.
Which colour is the car to the left of the tree? The car is yellow. What is above the door, and what is below the window?
You are a helpful assistant. A chat between a curious user and an artificial intelligence assistant. The assistant gives
helpful, detailed, and polite answers to the user's questions. Is this a photograph or a drawing? It's a drawing of a cat
that isn't looking at the camera. User: Assistant: user assistant system USER: ASSISTANT: think image compare these two.
"""

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?"
QWEN2 = _CONTRACTIONS + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35 = _CONTRACTIONS + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = _CONTRACTIONS + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(pattern):
    """The pieces that a regular expression matches, as bytes."""
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def digits():
    """GPT-2's pieces, each digit by itself: SmolLM2's."""
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False)])


def byte_pairs(pieces, special, nfc=False, blank_line=False, bos=None, size=SIZE):
    """Byte-level BPE whose last ids are the special tokens; `blank_line` makes two line ends one token, `bos` is put first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC() if nfc else None
    tokenizer.pre_tokenizer, tokenizer.decoder = pieces, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size - len(special), show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    lines = TEXT.replace("\n", " ")
    tokenizer.train_from_iterator([lines, lines] + ["\n\n"] * (9 if blank_line else 0), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    assert tokenizer.get_vocab_size() == size, tokenizer.get_vocab_size()
    assert (len(tokenizer.encode("\n\n", add_special_tokens=False).ids) == 1) == blank_line
    return tokenizer


def save(tokenizer, folder, template, **config):
    """Writes the three files that a published folder has; `config` names the roles of special tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config |= dict(tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False, chat_template=template)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
