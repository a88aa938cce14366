"""Measures PyTorch's engines for the benchmarks of this folder: one JSON request a line, one JSON answer a line."""
import json
import sys

try:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    assert torch.cuda.is_available()
except Exception as error:
    print(f"no PyTorch with CUDA: {error}", file=sys.stderr)
    sys.exit(1)

torch.manual_seed(0)
kept = {}  # inputs of the latest cases, so that rounds don't make them anew


def times(fn, calls, warm=1):
    for _ in range(warm):
        fn()
    pairs = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(calls)]
    for start, end in pairs:
        start.record()
        fn()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) * 1e3 for start, end in pairs]


def inputs(key, make):
    if key not in kept:
        kept.clear()
        torch.cuda.empty_cache()
        kept[key] = make()
    return kept[key]


def prefill(b, l, hq, hkv, d, causal, calls, **_):
    """cuDNN attention over dense q, k, v [b, heads, l, d]."""

    def make():
        return [torch.randn(b, l, h, d, dtype=torch.bfloat16, device="cuda").transpose(1, 2) for h in (hq, hkv, hkv)]

    q, k, v = inputs(("prefill", b, l, hq, hkv, d), make)

    def fn():
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=bool(causal), enable_gqa=hq != hkv)

    return {"us": times(fn, calls)}


def matmul(n, calls, **_):
    a, b = inputs(("matmul", n), lambda: [torch.randn(n, n, dtype=torch.bfloat16, device="cuda") for _ in range(2)])
    return {"us": times(lambda: a @ b, calls)}


def read(mebibytes, calls, **_):
    """A sum over memory that does not fit the caches."""
    x = inputs(("read", mebibytes), lambda: torch.ones(mebibytes << 18, dtype=torch.float32, device="cuda"))
    return {"us": times(lambda: x.sum(), calls)}


operations = {"prefill": prefill, "matmul": matmul, "read": read}
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = operations[request.pop("op")](**request)
        answer = {name: sorted(value)[len(value) // 2] for name, value in answer.items()}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
    print(json.dumps(answer), flush=True)
