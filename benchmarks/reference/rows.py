"""The rows of the comparison as these peers do them. prepare(row, peer, threads) gives the work to be timed and how
many units (tokens, calls, windows, steps) it does; warming up is the caller's. Weights and inputs are random."""

import functools

import torch

import attention
import decoding
import models

SIZES = {
    "d128": {},  # the published size: d 128, F 256, 2 + 2 layers, 128 tokens, 27 memory tokens
    "d512": {"d_model": 512, "encoder_layers": 0, "decoder_layers": 6, "max_sequence": 512},
    "only512": {"model": "music_transformer", "encoder": "none", "d_model": 512, "encoder_layers": 0,
                "decoder_layers": 6, "max_sequence": 2048, "vocabulary": 390},
}


class NotRun(Exception):
    """Why a peer does not do a row."""


def inference(work):
    """The work without gradients."""

    @functools.wraps(work)
    def run():
        with torch.inference_mode():
            work()

    return run


# ---- decoding --------------------------------------------------------------------------------------------


def decode(size, peer, B):
    config = models.complete(SIZES[size])
    model = models.Model(config).eval()
    L, memory = config["max_sequence"], None
    if config["encoder"] != "none":
        memory = torch.randn(B, 27, config["d_model"])
    tokens = torch.randint(0, config["vocabulary"] - 1, (L, B))
    if peer == "recompute":
        # Every length is too much for the longer sequences: the middles of equal pieces stand for all.
        pieces = {128: 128, 512: 16 if B == 1 else 4, 2048: 8}[L]
        lengths = [L * (2 * i + 1) // (2 * pieces) for i in range(pieces)] if pieces < L else range(1, L + 1)
        work = lambda: [decoding.recomputed(model, memory, tokens[:n].t()) for n in lengths]
        return inference(work), len(lengths) * B
    if peer == "eager":
        decoder = decoding.EagerDecoder(model, B, 0 if memory is None else 27)
    else:
        raise NotRun("decodes in no such form")

    def work():
        decoder.start(memory)
        for t in range(L):
            decoder.step(tokens[t], t)

    return inference(work), L * B


def prepare(row, peer, threads):
    torch.manual_seed(1)
    kind, _, rest = row.partition("/")
    if kind in ("decode", "decode16") and rest in SIZES:
        return decode(rest, peer, 16 if kind == "decode16" else 1)
    raise NotRun("there is no row of this name")
