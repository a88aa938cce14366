"""A small SentencePiece BPE vocabulary with byte fallback, made as Llama 2's was, and token ids by it: python sentencepiece_tiny.py"""

import io
import pathlib

import sentencepiece

import golden_file

# Whatever prose the repository has; the vocabulary is stored with the ids, so that later edits change nothing.
CORPUS = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(CORPUS.splitlines()),
    model_writer=model,
    model_type="bpe",
    vocab_size=600,
    byte_fallback=True,
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
    split_digits=True,
    allow_whitespace_only_pieces=True,
    num_threads=1,
    minloglevel=2,
)
processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
ids = range(processor.vocab_size())


def token_type(i):
    """As tokenizer.ggml.token_type counts."""
    if processor.is_unknown(i):
        return 2
    if processor.is_control(i):
        return 3
    return 6 if processor.is_byte(i) else 1


golden_file.write(
    "sentencepiece_tiny.json",
    {"by": "scripts/golden/sentencepiece_tiny.py", "versions": ["sentencepiece"]},
    {
        "tokens": [processor.id_to_piece(i) for i in ids],
        "types": [token_type(i) for i in ids],
        "scores": [processor.get_score(i) for i in ids],
        "cases": [{"text": text, "ids": processor.encode(text)} for text in golden_file.TEXTS],
    },
    compact=True,
)
