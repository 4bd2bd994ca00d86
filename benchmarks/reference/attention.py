"""Relative self-attention (Huang et al. 2018, arXiv:1809.04281) in the forms that PyTorch offers.

score(i, j) = q_i . k_j + q_i . Er[n - 1 - (i - j)] for j <= i, the second term 0 for j > i

q: [B, H, n, K], scaled by K^-1/2 already; k, v: [B, H, n, K]; Er: [n, K], the last n rows of the table.
mask: what is added to the scores, [n, n] or [B, 1, n, n], or None: every token sees every other one.
"""

import torch
import torch.nn.functional as F


def causal_mask(n, padding=None):
    """-inf at keys that come later; padding: [B, n], true at keys that nobody may look at."""
    mask = torch.full((n, n), float("-inf")).triu(1)
    if padding is None:
        return mask
    return mask.masked_fill(padding[:, None, None, :], float("-inf"))


def relative_scores(q, Er, mask):
    """q_i . Er[n - 1 - (i - j)] at [i, j], plus the mask: a T x T matrix that is skewed into place."""
    B, H, n, _ = q.shape
    products = q @ Er.transpose(0, 1)
    if products.requires_grad or mask is None or torch.onnx.is_in_onnx_export():
        scores = F.pad(products, (1, 0)).view(B, H, n + 1, n)[:, :, 1:]
    else:  # the same numbers where they lie; those of later keys are others, and masked
        scores = products.as_strided((B, H, n, n), (H * n * n, n * n, n - 1, 1), n - 1)
    return scores.tril() if mask is None else scores + mask


def skew(q, k, v, Er, mask):
    scores = q @ k.transpose(-1, -2) + relative_scores(q, Er, mask)
    return torch.softmax(scores, -1) @ v


def sdpa(q, k, v, Er, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=relative_scores(q, Er, mask), scale=1.0)


def flex(q, k, v, Er, block_mask):
    """Causal. To be compiled; block_mask: of flex_attention, for n queries and keys."""
    from torch.nn.attention.flex_attention import flex_attention

    n = q.shape[2]
    relative = q @ Er.transpose(0, 1)

    def add_relative(score, b, h, i, j):
        return score + relative[b, h, i, torch.clamp(n - 1 - i + j, max=n - 1)]

    return flex_attention(q, k, v, score_mod=add_relative, block_mask=block_mask, scale=1.0)
