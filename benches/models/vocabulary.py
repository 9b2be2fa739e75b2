"""A byte-level BPE vocabulary of SmolLM's size in which every word of one to three small letters is one token, with or
without a space before it. Nobody trained it; speed does not depend on the words."""

from itertools import islice, product
from string import ascii_lowercase

from shape import VOCAB

FIRST = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LAST = ["<fake_token_around_image>", "<image>", "<global-img>", "<row_1_col_1>"]
END = FIRST.index("<|im_end|>")

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

CONTROL, NORMAL = 3, 1


def bytes_spelled():
    """GPT-2's spelling of the 256 bytes: printable Latin-1 for itself, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def words(space):
    """Words of up to three letters after a space, then those of up to four without, the shortest first."""
    for start, longest in ((space, 3), ("", 4)):
        for length in range(1, longest + 1):
            for letters in product(ascii_lowercase, repeat=length):
                yield start + "".join(letters)


def merges():
    """Pairs to merge, the most urgent first: words after a space, then words without."""
    space, newline = (bytes_spelled()[ord(c)] for c in " \n")
    # llama.cpp puts two ends of lines before a picture of the Idefics3 kind, as one token.
    yield newline, newline
    yield from ((word[:-1], word[-1]) for word in words(space) if len(word) > 1)


class Vocabulary:
    """Special tokens `first`, the bytes, words, and special tokens `last`: `size` in all."""

    def __init__(self, size=VOCAB, first=FIRST, last=LAST):
        alphabet = bytes_spelled()
        pairs = list(islice(merges(), size - len(first) - len(alphabet) - len(last)))
        self.merges = [" ".join(pair) for pair in pairs]
        self.tokens = [*first, *alphabet, *("".join(pair) for pair in pairs), *last]
        special = {*first, *last}
        self.types = [CONTROL if token in special else NORMAL for token in self.tokens]
        # What greedy decoding may say: whole words, so that no answer ends early or holds half a character.
        letters = {*alphabet}
        self.said = [kind == NORMAL and token not in letters for token, kind in zip(self.tokens, self.types)]
        assert len(self.tokens) == len(set(self.tokens)) == size

    @property
    def silent(self):
        """The ids of all others."""
        return [id for id, said in enumerate(self.said) if not said]
