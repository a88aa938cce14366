"""Random blocks of every ggml format that examples/model reads, and what they hold by the gguf package: python ggml_blocks.py"""

import base64

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

import golden_file

# Where the f16 scales of a block lie, in bytes.
SCALES = {
    "F32": [], "F16": [], "BF16": [],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
NUM_WEIGHTS = 512


def blocks(name, random):
    """NUM_WEIGHTS weights: every bit random but those of scales, which are ordinary numbers."""
    kind = GGMLQuantizationType[name]
    block_length, block_bytes = GGML_QUANT_SIZES[kind]
    numbers = random.normal(size=NUM_WEIGHTS)
    if name == "F32":
        raw = numbers.astype("<f4").view(np.uint8)
    elif name == "F16":
        raw = numbers.astype("<f2").view(np.uint8)
    elif name == "BF16":
        raw = (numbers.astype("<f4").view("<u4") >> 16).astype("<u2").view(np.uint8)
    else:
        raw = random.integers(0, 256, size=(NUM_WEIGHTS // block_length, block_bytes), dtype=np.uint8)
        for at in SCALES[name]:
            scales = (random.normal(size=raw.shape[0]) * 0.05).astype("<f2")
            raw[:, at : at + 2] = scales.view(np.uint8).reshape(-1, 2)
    raw = np.ascontiguousarray(raw).reshape(-1)
    values = dequantize(raw.view("<f4") if name == "F32" else raw, kind).astype("<f4").reshape(-1)
    assert values.size == NUM_WEIGHTS and np.isfinite(values).all()
    return {
        "name": name,
        "type": int(kind),
        "blocks": base64.b64encode(raw.tobytes()).decode(),
        "values": base64.b64encode(values.tobytes()).decode(),
    }


random = np.random.default_rng(0)
golden_file.write(
    "ggml_blocks.json",
    {"by": "scripts/golden/ggml_blocks.py", "versions": ["gguf", "numpy"]},
    {"formats": [blocks(name, random) for name in SCALES]},
)
