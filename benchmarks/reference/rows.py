"""The rows of the comparison as these peers do them. prepare(row, peer, threads) gives the work to be timed and how
many units (tokens, calls, windows, steps) it does; warming up is the caller's. Weights and inputs are random."""

import re
import subprocess
import sys

import torch
import torch.nn.functional as F

import attention
import compiling
import decoding
import exporting
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
    """Marks work that wants no gradients: the server enters inference mode around all its repetitions."""
    work.inference = True
    return work


# ---- decoding --------------------------------------------------------------------------------------------


def decode(size, peer, B, threads):
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
    elif peer == "compile":
        decoder = decoding.CompiledDecoder(model, B, 0 if memory is None else 27)
    elif peer == "onnxruntime":
        decoder = decoding.OnnxDecoder(model, B, 0 if memory is None else 27, threads)
    else:
        raise NotRun("no such form of decoding")

    def work():
        decoder.start(memory)
        for t in range(L):
            decoder.step(tokens[t], t)

    return inference(work), L * B


# ---- whole networks --------------------------------------------------------------------------------------


def run_by(peer, module, inputs, threads):
    """An evaluation of the module, its outputs thrown away."""
    module.eval()
    if peer == "eager":
        return inference(lambda: module(*inputs))
    if peer == "compile":
        function = compiling.compiled(module)
        return inference(lambda: function(*inputs))
    if peer == "onnxruntime":
        return exporting.Session(module, inputs, threads).run
    raise NotRun("evaluates networks in no such form")


class MotionEncoder(torch.nn.Module):
    """What is computed of a window of motion before any music: memory tokens, or the LSTM's state."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        features = self.model.encode_motion(x)
        return self.model.encode_memory(features) if self.model.config["model"] == "lstm_seq2seq" else features


ENCODERS = {
    "conv": ({}, (1, 2, 3, 150)),
    "frequency": ({"encoder": "frequency"}, (1, 2, 3, 150)),
    "fc": ({"encoder": "fully_connected"}, (1, 2, 9, 150)),
    "conv_transformer": ({"encoder": "conv_transformer", "memory_positions": 1350}, (1, 2, 9, 150)),
    "temporal": ({"encoder": "temporal", "width": 96}, (1, 6, 300)),
    "lstm": ({"model": "lstm_seq2seq"}, (1, 2, 3, 150)),
    "stgcn": ({"encoder": "pose"}, (1, 3, 150, 25, 1)),
}


def encode(encoder, peer, threads):
    if encoder not in ENCODERS:
        raise NotRun("there is no such encoder")
    config, shape = ENCODERS[encoder]
    return run_by(peer, MotionEncoder(models.Model(config)), (torch.randn(shape),), threads), 1


class Prefill(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, tokens):
        return self.model.logits(None, tokens, form=attention.sdpa)


def prefill(length, peer, threads):
    model = models.Model(SIZES["only512"])
    return run_by(peer, Prefill(model), (torch.randint(0, 389, (1, length)),), threads), 1


# ---- training --------------------------------------------------------------------------------------------


def train(size, peer):
    if size == "d128":
        B, config = 15, SIZES["d128"]
    else:
        B, config = 8, {**SIZES["only512"], "max_sequence": 512}
    model = models.Model(config, dropout=0.1).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
    T, V = model.config["max_sequence"], model.config["vocabulary"]
    x = torch.randn(B, 2, 3, 150) if size == "d128" else None
    tokens, targets = torch.randint(0, V - 1, (2, B, T))
    optimiser = torch.optim.Adam(model.parameters(), 1e-5, (0.9, 0.98), 1e-9, fused=True)

    def loss():
        logits = model(x, tokens, form=attention.skew)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    if peer == "compile":
        loss = compiling.compiled(loss, training=True)
    elif peer != "eager":
        raise NotRun("trains in no such form")

    def work():
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return work, 1


def backward_too(function, leaves, d):
    """The function's value and the gradients of the leaves."""

    def work():
        for leaf in leaves:
            leaf.grad = None
        function().backward(d)

    return work


def temporal(direction, peer, threads):
    encoder = models.TemporalEncoder(128, 6, 96, 5, 6, 50, dropout=0.0)
    x = torch.randn(15, 6, 300)
    if direction == "forward":
        return run_by(peer, encoder, (x,), threads), 1
    if peer not in ("eager", "compile"):
        raise NotRun("trains in no such form")
    encoder.train()
    function = compiling.compiled(encoder, training=True) if peer == "compile" else encoder
    return backward_too(lambda: function(x), list(encoder.parameters()), torch.randn(15, 75, 128)), 1


# ---- parts -----------------------------------------------------------------------------------------------


def attend(direction, T, K, peer):
    if direction not in ("forward", "both"):
        raise NotRun("there is no row of this name")
    q, k, v, d = torch.randn(4, 1, 8, T, K)
    leaves = [tensor.clone().requires_grad_(direction == "both") for tensor in (q, k, v, torch.randn(T, K))]
    form = {"skew": attention.skew, "sdpa": attention.sdpa, "compile": attention.skew, "flex": attention.flex}.get(peer)
    if form is None:
        raise NotRun("there is no such form of attention")
    if peer == "flex":
        if direction == "both":
            raise NotRun("flex_attention has no backward on a processor")
        from torch.nn.attention.flex_attention import create_block_mask

        mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, T, T, device="cpu")
    else:
        mask = attention.causal_mask(T)

    def scaled(q, k, v, Er):
        return form(q * K ** -0.5, k, v, Er, mask)

    if peer in ("compile", "flex"):
        scaled = compiling.compiled(scaled, training=direction == "both")
    if direction == "both":
        return backward_too(lambda: scaled(*leaves), leaves, d), 1
    return inference(lambda: scaled(*leaves)), 1


def linear(M, K, N, peer, threads):
    layer, x = torch.nn.Linear(K, N), torch.randn(M, K)
    layer.weight.data = decoding.laid_out(layer.weight.data, M)
    return run_by(peer, layer, (x,), threads), 1


def sample(peer):
    if peer != "eager":
        raise NotRun("samples in no such form")
    logits = torch.randn(243)

    def work():
        values, ids = torch.topk(logits / 0.9, 40)
        p = torch.softmax(values, 0)
        p[torch.cumsum(p, 0) - p >= 0.9] = 0
        return ids[torch.multinomial(p, 1)].item()

    return inference(work), 1


def start(peer):
    package = {"eager": "torch", "onnxruntime": "onnxruntime"}.get(peer)
    if package is None:
        raise NotRun("starts like eager")
    return lambda: subprocess.run([sys.executable, "-c", f"import {package}"], check=True, capture_output=True), 1


def prepare(row, peer, threads):
    torch.manual_seed(1)
    kind, _, rest = row.partition("/")
    numbers = [int(number) for number in re.findall(r"\d+", rest)]
    if kind in ("decode", "decode16") and rest in SIZES:
        return decode(rest, peer, 16 if kind == "decode16" else 1, threads)
    if kind == "encode":
        return encode(rest, peer, threads)
    if kind == "prefill" and len(numbers) == 1:
        return prefill(numbers[0], peer, threads)
    if kind == "train" and rest in ("d128", "d512"):
        return train(rest, peer)
    if kind == "temporal" and rest in ("forward", "both"):
        return temporal(rest, peer, threads)
    if kind == "attention" and len(numbers) == 2:
        return attend(rest.partition("/")[0], *numbers, peer)
    if kind == "linear" and len(numbers) == 3:
        return linear(*numbers, peer, threads)
    if row == "sample/243":
        return sample(peer)
    if row == "start":
        return start(peer)
    raise NotRun("there is no row of this name")
