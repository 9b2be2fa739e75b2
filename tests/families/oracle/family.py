"""What a family must tell, so that one recorder serves them all."""

import torch

import cases


class Family:
    """A tiny model with its own processor. A subclass fills the fields and says how its tensors part into views.

    Views are counted in the order in which the family's own processor makes them; `order` brings one picture's views
    into Loupe's: slices row by row, then the overview."""

    name = None  # of the folder under tests/fixtures/families
    pre = None  # tokenizer.ggml.pre of the published files
    sizes = ()  # pictures, (width, height)
    detailed = ()  # of these, the ones whose layers are recorded
    halves = False  # whether matrices are f16, in both files
    unwritten = ()  # parts of the names of parameters that published files leave out
    llama = None  # where the converter is
    largest = 400_000  # bytes of its folder

    def build(self, folder, seed):
        """Makes `self.model` and `self.processor`, and saves them as a published folder."""
        raise NotImplementedError

    def files(self, folder, out):
        """Writes text.gguf and mmproj.gguf."""
        raise NotImplementedError

    def taps(self):
        """Modules whose outputs are recorded: `vision`, `text` (lists of layers), `rows` (the connector), and single ones."""
        raise NotImplementedError

    def parameters(self):
        """{name: tensor}, each of which one of the files must hold."""
        return {name: p for name, p in self.model.named_parameters() if not any(part in name for part in self.unwritten)}

    def inputs(self, case, images):
        """(rendered and expanded prompt, the model's arguments)"""
        inputs = self.processor(text=[self.render(case)], images=[images] if images else None, return_tensors="pt")
        text = self.tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=False)
        return text, inputs

    @property
    def tokenizer(self):
        return self.processor.tokenizer

    def encode(self, text):
        """The ids of an expanded prompt."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def render(self, case):
        return self.processor.apply_chat_template(cases.messages(case), add_generation_prompt=True, tokenize=False)

    def look(self, image):
        """The views of one picture as u8 [h, w, 3], in the processor's order."""
        raise NotImplementedError

    def order(self, count):
        """Which of the processor's views is Loupe's first, second …, for a picture of `count` views."""
        return range(count)

    def part(self, key, outputs, inputs):
        """What the tap `key` put out, call by call → rows of each view, all pictures' views in the processor's order."""
        raise NotImplementedError

    def logits(self, inputs):
        """[vocabulary] after the last position, everything computed at once."""
        return self.model(**inputs, use_cache=False).logits[0, -1]


def u8(array):
    """Numbers 0…255 that a processor left as floats, [3, h, w] → u8 [h, w, 3]."""
    a = torch.as_tensor(array)
    assert torch.equal(a, a.round()) and 0 <= a.min() and a.max() <= 255
    return a.permute(1, 2, 0).to(torch.uint8).contiguous().numpy()


def strip(pixels, sizes, patch):
    """Views of a NaViT strip [3, patch, patch·all patches], `sizes` (rows, columns) of patches each → u8 [h, w, 3] each."""
    views, begin = [], 0
    for rows, columns in sizes.tolist():
        part = pixels[:, :, begin : begin + rows * columns * patch]
        begin += rows * columns * patch
        view = part.reshape(3, patch, rows, columns, patch).permute(0, 2, 1, 3, 4).reshape(3, rows * patch, columns * patch)
        views.append(u8(view))
    assert begin == pixels.shape[2]
    return views
