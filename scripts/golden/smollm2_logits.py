"""Logits and greedy tokens of a GGUF file by Hugging Face transformers, in f32 on the CPU: python smollm2_logits.py MODEL.gguf

transformers unpacks the GGUF file by itself (through the gguf package) into its own Llama, whose attention, norm and rotary
embedding are PyTorch code. So everything between the file and the logits is independent of flashpage.
"""

import hashlib
import pathlib
import random
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import golden_file

TEXT = """The lighthouse keeper climbed the stairs every evening, 214 of them, and lit the lamp before the ships came in.
One night the fog was so thick that he could not see the sea. "What do I do now?" he asked, and the old radio answered:
def signal(n): return [x * x for x in range(n)]
"""
QUESTION = "What is the capital of France?"
NUM_POSITIONS = 8
NUM_TOP = 50
NUM_SAMPLED = 200
NUM_GREEDY = 24


def greedy(model, ids):
    """NUM_GREEDY tokens, and for each how far its logit is above the second best."""
    tokens, margins = [], []
    with torch.no_grad():
        for _ in range(NUM_GREEDY):
            best = torch.topk(model(torch.tensor([ids + tokens])).logits[0, -1], 2)
            tokens.append(int(best.indices[0]))
            margins.append(round(float(best.values[0] - best.values[1]), 5))
    return {"promptIds": ids, "tokens": tokens, "margins": margins}


def main(path):
    path = pathlib.Path(path)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    ids = tokenizer(TEXT).input_ids
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    sampled_ids = sorted(random.Random(0).sample(range(logits.shape[1]), NUM_SAMPLED))
    positions = []
    for i in range(NUM_POSITIONS):
        position = (i + 1) * len(ids) // NUM_POSITIONS - 1
        top = torch.topk(logits[position], NUM_TOP)
        positions.append({
            "position": position,
            "topIds": top.indices.tolist(),
            "topLogits": [round(x, 5) for x in top.values.tolist()],
            "sampledLogits": [round(x, 5) for x in logits[position][sampled_ids].tolist()],
        })
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION}], add_generation_prompt=True, return_dict=False
    )
    golden_file.write(
        "smollm2_logits.json",
        {
            "by": "scripts/golden/smollm2_logits.py: transformers LlamaForCausalLM, f32, CPU, eager attention",
            "modelSha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "versions": ["transformers", "torch", "gguf"],
        },
        {
            "text": TEXT,
            "ids": ids,
            "logitsStd": round(float(logits.std()), 4),
            "sampledIds": sampled_ids,
            "positions": positions,
            "question": QUESTION,
            "greedy": {"text": greedy(model, ids), "chat": greedy(model, list(chat))},
        },
        compact=True,
    )


main(sys.argv[1])
