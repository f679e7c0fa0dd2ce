"""Numeric precision: bfloat16 on processors with instructions for it, float32 elsewhere.

There a matrix product in bfloat16 takes a fifth to a half of the time. All other operations stay in
float32 (automatic mixed precision, arXiv 1710.03740). The encoder and the training of heads both
use this module, so it is on its own.
"""

from contextlib import AbstractContextManager

import torch

FP32, BF16 = "fp32", "bf16"


def best_precision() -> str:
    """Return BF16 if this processor has instructions for it, else FP32."""
    capabilities = torch.cpu.get_capabilities()
    return BF16 if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else FP32


def autocast(precision: str) -> AbstractContextManager[None]:
    """Return a context in which matrix products have a precision, FP32 or BF16.

    BF16 works on any processor, though slowly on some. Torch's cache of cast weights is off: it is
    shared by all threads, and the first one to leave would empty it for the others, so gradients
    would depend on when another task ends.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == BF16, cache_enabled=False)
