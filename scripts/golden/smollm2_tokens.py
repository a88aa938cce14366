"""Token ids of SmolLM2 by Hugging Face's tokenizers, as transformers loads them from the GGUF: python smollm2_tokens.py MODEL.gguf"""

import pathlib
import sys

from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

import golden_file


def main(path):
    path = pathlib.Path(path)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # A GGUF file only names its pre-tokenizer ("smollm"); this is the one in the model's own tokenizer.json.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    texts = [*golden_file.TEXTS, "<|im_start|>user\nHi<|im_end|>\n"]
    golden_file.write(
        "smollm2_tokens.json",
        {"by": "scripts/golden/smollm2_tokens.py", "versions": ["transformers", "tokenizers", "gguf"]},
        {"cases": [{"text": text, "ids": tokenizer(text).input_ids} for text in texts]},
        compact=True,
    )


main(sys.argv[1])
