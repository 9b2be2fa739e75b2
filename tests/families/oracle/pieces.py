"""A SentencePiece tokenizer, as Llama's and MiniCPM's are, and the same as a tokenizer.json."""

import io
import json

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

import tokens


def train(size):
    """BPE pieces of `tokens.TEXT`; ids 0, 1 and 2 are <unk>, <s> and </s>, then all bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(tokens.TEXT.splitlines()), model_writer=model, vocab_size=size, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", split_digits=True, num_threads=1, minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), model.getvalue()


def merges(vocabulary):
    """All pairs that make a piece, the pieces that were learnt first in front."""
    found = [(vocabulary[piece], vocabulary[piece[:i]], vocabulary[piece[i:]], piece[:i], piece[i:])
             for piece in vocabulary if not piece.startswith("<") for i in range(1, len(piece))
             if piece[:i] in vocabulary and piece[i:] in vocabulary]
    return [(left, right) for *_, left, right in sorted(found)]


def save(folder, special, size, template, **config):
    """Writes tokenizer.model, tokenizer.json and tokenizer_config.json; `special` are the last ids."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces, model = train(size - len(special))
    vocabulary = {pieces.IdToPiece(i): i for i in range(pieces.vocab_size())}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges(vocabulary), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    known = ["<unk>", "<s>", "</s>", *special]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in known])
    assert tokenizer.get_vocab_size() == size
    for line in [*tokens.TEXT.splitlines(), "What?\nünïcode, 北京 12"]:
        assert tokenizer.encode(line, add_special_tokens=False).ids == pieces.encode(line), line
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer.model").write_bytes(model)
    added = {tokenizer.token_to_id(token): dict(content=token, special=True, normalized=False, lstrip=False, rstrip=False,
                                                single_word=False) for token in known}
    config |= dict(tokenizer_class="PreTrainedTokenizerFast", clean_up_tokenization_spaces=False, chat_template=template,
                   bos_token="<s>", unk_token="<unk>", add_bos_token=True, add_eos_token=False, added_tokens_decoder=added)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
