"""A byte-level BPE with a few hundred merges, learned on the questions and answers of rendered scenes.

Ids: 256 bytes (GPT-2's printable stand-ins, in byte order of the pre-tokenizer's alphabet), the merges, the specials."""

import json
import sys
from pathlib import Path

SPECIALS = ["<|user|>", "<|assistant|>", "<|end|>"]
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|user|>' if message.role == 'user' else '<|assistant|>' }}{{ message.content }}"
    "{%- if message.role == 'assistant' -%}{{ '<|end|>' }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"
)


def byte_letters():
    """GPT-2's letter of each byte: printable bytes stand for themselves, the rest are moved past 255."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for b in range(256):
        letters[b] = chr(b) if b in keep else chr(256 + extra)
        extra += b not in keep
    return letters


def learn(texts, merges):
    """-> {"tokens": […], "merges": […]} with at most `merges` merges; merges never cross the GPT-2 pre-tokenizer's pieces."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    letters = list(byte_letters().values())
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(vocab_size=256 + merges, initial_alphabet=letters, min_frequency=20, show_progress=False)
    bpe.train_from_iterator(texts, trainer)
    learned = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    tokens = letters + ["".join(m) for m in learned]
    return {"tokens": list(dict.fromkeys(tokens)) + SPECIALS, "merges": [" ".join(m) for m in learned]}


class Tokenizer:
    """Encodes as the GGUF's readers do; `spell` gives one token a byte."""

    def __init__(self, description):
        from tokenizers import Tokenizer as Fast
        from tokenizers import models, pre_tokenizers

        self.tokens, self.merges = description["tokens"], description["merges"]
        self.ids = {t: i for i, t in enumerate(self.tokens)}
        vocab = {t: i for t, i in self.ids.items() if t not in SPECIALS}
        pairs = [tuple(m.split(" ")) for m in self.merges]
        self.models = [Fast(models.BPE(vocab=vocab, merges=pairs, dropout=d)) for d in (None, 0.15)]
        for m in self.models:
            m.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        self.user, self.assistant, self.end = (self.ids[s] for s in SPECIALS)
        self.comma, self.newline = self.spell(",")[0], self.spell("\n")[0]
        self.cache = {}

    @classmethod
    def load(cls, path):
        return cls(json.loads(Path(path).read_text()))

    def encode(self, text, broken=False):
        """Ids of plain text; `broken` leaves some merges out, as other spellings of the same text would."""
        if broken:
            return self.models[1].encode(text).ids
        if text not in self.cache:
            if len(self.cache) > 200_000:
                self.cache.clear()
            self.cache[text] = self.models[0].encode(text).ids
        return self.cache[text]

    def spell(self, text):
        letters = byte_letters()
        return [self.ids[letters[b]] for b in text.encode()]

    def decode(self, ids):
        back = {c: b for b, c in byte_letters().items()}
        return bytes(back[c] for i in ids for c in self.tokens[i] if self.tokens[i] not in SPECIALS).decode("utf-8", "replace")

    def __len__(self):
        return len(self.tokens)


def word_ids(tokenizer, labels):
    """For each class, colour and character name (after "nothing") the ids by which text names it: as a whole answer, after a
    space, in either case. Empty where no single token does."""
    names = []
    for kind in ("classes", "colours", "characters"):
        for name in labels[kind][1:]:
            forms = [name, name.upper()] if kind == "characters" else [name, " " + name]
            encoded = [tokenizer.encode(f) for f in forms]
            names.append(sorted({f[0] for f in encoded if len(f) == 1}))
    return names


def naming(tokenizer, labels):
    """Token id -> (class, colour) that the word names, 0 where it names none; class −1 is any shape ("object")."""
    out = {}

    def put(word, value):
        for form in (word, " " + word, word.capitalize()):
            ids = tokenizer.encode(form)
            if len(ids) == 1:
                out[ids[0]] = value

    shapes = labels["classes"].index("glyph")
    for i, name in enumerate(labels["classes"][1:shapes], 1):
        put(name, (i, 0))
        put(name + ("es" if name.endswith("s") else "s"), (i, 0))
    for i, name in enumerate(labels["colours"][1:], 1):
        put(name, (0, i))
    put("grey", (0, labels["colours"].index("gray")))
    for name in ("shape", "shapes", "object", "objects", "one", "ones", "thing", "things"):
        put(name, (-1, 0))
    for name in ("text", "word", "words", "number", "numbers", "line", "lines", "letters"):
        put(name, (shapes, 0))
    for name in ("sign", "border", "stripe", "stripes", "band", "bands", "edge", "side", "corner", "quarter"):
        put(name, (shapes + 1, 0))
    return out


if __name__ == "__main__":
    # tokenizer.py OUT MERGES < scene stream: learns from the stream's questions and answers
    from data import records

    texts = []
    for meta, _ in records(sys.stdin.buffer):
        for qa in meta["qa"]:
            for question, answer in qa["turns"]:
                texts.append(question)
                if not qa["spell"]:
                    texts.append(answer)
    description = learn(texts, int(sys.argv[2]))
    Path(sys.argv[1]).write_text(json.dumps(description, ensure_ascii=False, indent=0) + "\n")
    print(f"{len(texts)} texts, {len(description['tokens'])} tokens")
