"""Reduced precision: bfloat16 where the processor multiplies it itself, float32 elsewhere.

On such a processor a product of matrices takes a fifth to a half of the time in bfloat16;
everything but the products stays float32 (automatic mixed precision, Micikevicius et al., arXiv
1710.03740).
"""

from contextlib import AbstractContextManager

import torch

FP32, BF16 = "fp32", "bf16"


def best_precision() -> str:
    """Return BF16 if this processor has instructions for it, else FP32."""
    capabilities = torch.cpu.get_capabilities()
    return BF16 if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else FP32


def autocast(precision: str) -> AbstractContextManager:
    """Run what is inside in a precision; BF16 works on any processor, if slowly on some.

    Without torch's cache of weights: all threads share it, and the first to leave empties it for
    the others, so that gradients would be rounded by when another head's step ends.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == BF16, cache_enabled=False)
