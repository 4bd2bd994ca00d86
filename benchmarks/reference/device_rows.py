"""The rows of the comparison on an NVIDIA GPU as PyTorch does them, in the forms that are quickest there. Everything
is made on the default device; "-bf16" at the end of a peer's name: weights and caches in bfloat16 while decoding,
operands in bfloat16 otherwise (autocast, in training)."""

import torch
import torch.nn.functional as F

import attention
import decoding
import models
import rows
from rows import NotRun, SIZES, inference


def compiled(function, mode="max-autotune-no-cudagraphs"):
    torch._dynamo.reset()
    torch._dynamo.config.allow_rnn = True
    return torch.compile(function, fullgraph=True, dynamic=False, mode=mode)


class GraphDecoder(decoding.CompiledDecoder):
    """Each step a CUDA graph of a compiled function over static caches, which feeds its likeliest token back: one graph
    for each of a few lengths of the caches."""

    @torch.no_grad()
    def __init__(self, model, B, memory_length):
        super().__init__(model, B, memory_length)
        self.compiled = compiled(decoding.CompiledStep(self))
        self.token, self.place = torch.zeros(B, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
        self.graphs = []
        for caches in self.caches:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.advance(caches)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.advance(caches)
            self.graphs.append(graph)

    def advance(self, caches):
        logits = self.compiled(self.token, self.place, caches, self.memories)
        self.token.copy_(logits.argmax(-1))
        self.place.add_(1)

    def start(self, memory):
        super().start(memory)
        self.token.fill_(0)
        self.place.fill_(0)

    def advance_at(self, t):
        self.graphs[t // self.piece].replay()


def decode(size, peer, bf16):
    config = models.complete(SIZES[size])
    model = models.Model(config).eval()
    if bf16:
        model = model.to(torch.bfloat16)
    L, memory_length = config["max_sequence"], 0 if config["encoder"] == "none" else 27
    memory = torch.randn(1, memory_length, config["d_model"]) if memory_length else None
    if peer == "eager":
        decoder = decoding.EagerDecoder(model, 1, memory_length)

        def write():
            decoder.start(memory)
            token = torch.zeros(1, dtype=torch.int64)
            for t in range(L):
                token = decoder.step(token, t).argmax(-1)
    elif peer == "compile":
        decoder = GraphDecoder(model, 1, memory_length)

        def write():
            decoder.start(memory)
            for t in range(L):
                decoder.advance_at(t)
    else:
        raise NotRun("no such form of decoding")
    return inference(write), L


def attend(direction, T, K, peer):
    q, k, v, d = torch.randn(4, 1, 8, T, K)
    leaves = [tensor.clone().requires_grad_(direction == "both") for tensor in (q, k, v, torch.randn(T, K))]
    form = {"skew": attention.skew, "sdpa": attention.sdpa, "flex": attention.flex}.get(peer)
    if form is None:
        raise NotRun("there is no such form of attention")
    if peer == "flex":
        from torch.nn.attention.flex_attention import create_block_mask

        mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, T, T, device=str(torch.get_default_device()))
    else:
        mask = attention.causal_mask(T)
    function = compiled(lambda q, k, v, Er: form(q * K ** -0.5, k, v, Er, mask))
    if direction == "both":
        work = rows.backward_too(lambda: function(*leaves), leaves, d)
    else:
        work = inference(lambda: function(*leaves))
    calls = 10

    def many():
        for _ in range(calls):
            work()

    many.inference = getattr(work, "inference", False)
    return many, calls


def train(size, peer, bf16):
    B, config = (15, SIZES["d128"]) if size == "d128" else (64, {**SIZES["only512"], "max_sequence": 512})
    model = models.Model(config, dropout=0.1).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
    T, V = model.config["max_sequence"], model.config["vocabulary"]
    x = torch.randn(B, 2, 3, 150) if size == "d128" else None
    tokens, targets = torch.randint(0, V - 1, (2, B, T))
    optimiser = torch.optim.Adam(model.parameters(), 1e-5, (0.9, 0.98), 1e-9, fused=True)

    def loss():
        with torch.autocast(str(torch.get_default_device().type), torch.bfloat16, enabled=bf16):
            logits = model(x, tokens, form=attention.skew)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    if peer == "compile":
        loss = compiled(loss)
    elif peer != "eager":
        raise NotRun("trains in no such form")

    def work():
        optimiser.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return value.item()

    return work, 1


def prepare(row, peer):
    torch.manual_seed(1)
    peer, _, precision = peer.partition("-")
    bf16 = precision == "bf16"
    kind, _, rest = row.partition("/")
    if kind == "decode" and rest in ("d128", "d512"):
        torch.set_default_dtype(torch.bfloat16 if bf16 else torch.float32)
        try:
            return decode(rest, peer, bf16)
        finally:
            torch.set_default_dtype(torch.float32)
    if kind == "attention":
        direction, T, K = rest.split("/")
        torch.set_default_dtype(torch.bfloat16 if bf16 else torch.float32)
        try:
            return attend(direction, int(T[1:]), int(K[1:]), peer)
        finally:
            torch.set_default_dtype(torch.float32)
    if kind == "train" and rest in ("d128", "d512"):
        return train(rest, peer, bf16)
    raise NotRun("there is no row of this name")


def ceilings():
    """What the device does at best: a copy, read and written bytes together, and a product of bfloat16 matrices."""
    source = torch.zeros(1 << 28)
    target = torch.empty_like(source)
    a = torch.randn(8192, 8192, dtype=torch.bfloat16)

    def seconds(work):
        times = []
        for _ in range(10):
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) * 1e-3)
        return min(times)

    return {"copy_gb_s": 2 * source.nbytes / seconds(lambda: target.copy_(source)) * 1e-9,
            "bf16_tflop_s": 2 * 8192**3 / seconds(lambda: a @ a) * 1e-12}
