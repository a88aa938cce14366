"""One byte-level BPE vocabulary under the name of every pre-tokenizer, as GGUF files without weights: python pre_tokenizer_files.py FOLDER

The vocabulary is trained without cutting the texts into words, so its merges cross every boundary that a pre-tokenizer may
set: where two of them cut differently, the token ids differ. Also writes FOLDER/question.json, for pre_tokenizers.mjs.
"""

import json
import pathlib
import sys
from importlib.metadata import version

from gguf import GGUFWriter
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import golden_file

NAMES = ["gpt-2", "smollm", "starcoder", "refact", "codeshell", "command-r", "llama-bpe", "qwen2", "tekken"]


def train():
    """Tokens by id, and merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(golden_file.TEXTS * 2, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].get), [" ".join(pair) for pair in model["merges"]]


def main(folder):
    folder = pathlib.Path(folder)
    tokens, merges = train()
    types = [3] + [1] * (len(tokens) - 1)
    for name in NAMES:
        writer = GGUFWriter(folder / f"{name}.gguf", "llama")
        writer.add_block_count(1)
        writer.add_context_length(128)
        writer.add_embedding_length(64)
        writer.add_feed_forward_length(64)
        writer.add_head_count(1)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(name)
        writer.add_token_list(tokens)
        writer.add_token_merges(merges)
        writer.add_token_types(types)
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    versions = {package: version(package) for package in ["tokenizers", "gguf"]}
    question = {"names": NAMES, "texts": golden_file.TEXTS, "tokens": tokens, "types": types, "merges": merges, "versions": versions}
    (folder / "question.json").write_text(json.dumps(question), encoding="utf-8")


main(sys.argv[1])
