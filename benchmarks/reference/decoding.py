"""Writing music token by token with caches of keys and values, B sequences side by side.

EagerDecoder      one PyTorch call an operation
CompiledDecoder   the whole step through torch.compile
OnnxDecoder       the whole step exported, caches in and out
recomputed        no cache: the whole sequence anew for every token, as the published implementations do
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import attention
import compiling
import exporting


def stack_of(model):
    """The layers that write: a decoder, or the causal encoder that music_transformer is."""
    alone = model.config["model"] == "music_transformer"
    return model.transformer.encoder if alone else model.transformer.decoder


def split_heads(x, H):
    """[B, n, D] -> [B H, n, K]"""
    B, n, D = x.shape
    return x.view(B, n, H, D // H).transpose(1, 2).reshape(B * H, n, D // H)


def laid_out(weight, B):
    """MKL multiplies one row quickest with a matrix that is stored by columns, several with one by rows."""
    return weight.t().contiguous().t() if B == 1 else weight.contiguous()


class Layer:
    """The weights of a layer as a step wants them: queries scaled by K^-1/2 beforehand."""

    def __init__(self, layer, config, B, memory_length):
        D, H, L = config["d_model"], config["heads"], config["max_sequence"]
        scale = torch.ones(3 * D)
        scale[:D] = (D // H) ** -0.5
        own = layer.self_attn
        self.qkv = laid_out(own.in_proj_weight * scale[:, None], B), own.in_proj_bias * scale
        self.out = laid_out(own.out_proj.weight, B), own.out_proj.bias
        self.Er = own.Er.t().contiguous()  # [K, L]
        self.cache = torch.zeros(2, B * H, L, D // H)
        self.linear1 = laid_out(layer.linear1.weight, B), layer.linear1.bias
        self.linear2 = laid_out(layer.linear2.weight, B), layer.linear2.bias
        self.norm1, self.norm2 = layer.norm1, layer.norm2
        if memory_length:
            cross = layer.multihead_attn
            weight, bias = cross.in_proj_weight, cross.in_proj_bias
            self.cross_query = laid_out(weight[:D] * scale[:D, None], B), bias[:D] * scale[:D]
            self.cross_memory = weight[D:], bias[D:]
            self.cross_out = laid_out(cross.out_proj.weight, B), cross.out_proj.bias
            self.memory = torch.zeros(2, B * H, memory_length, D // H)
            self.norm3 = layer.norm3


class EagerDecoder:
    """memory_length: S, 0 for a model without memory."""

    @torch.no_grad()
    def __init__(self, model, B, memory_length):
        self.config, self.pad, self.B = model.config, model.pad, B
        self.control = model if model.config["control"] else None
        self.embedding, self.positions = model.embedding.weight, model.positional_encoding.pe[:, 0]
        stack = stack_of(model)
        self.layers = [Layer(layer, model.config, B, memory_length) for layer in stack.layers]
        self.norm, self.Wout = stack.norm, (laid_out(model.Wout.weight, B), model.Wout.bias)
        self.padded = False
        self.padding = torch.zeros(B, self.config["max_sequence"])  # -inf at keys that are PAD

    def start(self, memory):
        """memory: [B, S, D], or None."""
        self.padded = False
        self.padding.zero_()
        if memory is None:
            return
        for layer in self.layers:
            keys, values = F.linear(memory, *layer.cross_memory).chunk(2, -1)
            layer.memory[0] = split_heads(keys, self.config["heads"])
            layer.memory[1] = split_heads(values, self.config["heads"])

    def note_padding(self, tokens, t):
        """To be called before a step whose tokens may be PAD: nobody looks at those."""
        padding = tokens == self.pad
        if self.config["model"] != "music_transformer" and padding.any():
            self.padded = True
            self.padding[:, t] = torch.where(padding, float("-inf"), 0.0)

    def step(self, tokens, t, control=None):
        """tokens: [B], at position t; control: [B, 12] -> logits [B, V]."""
        D, H, B, n = self.config["d_model"], self.config["heads"], self.B, t + 1
        K, skipped = D // H, self.config["max_sequence"] - n
        if self.control is None:
            x = F.embedding(tokens, self.embedding) + self.positions[t]
        else:
            x = self.control.embed(tokens[:, None], t, None if control is None else control[:, None])[:, 0]
        for layer in self.layers:
            qkv = F.linear(x, *layer.qkv).view(B, 3, H, K).transpose(0, 1).reshape(3, B * H, K)
            q = qkv[0]
            layer.cache[:, :, t] = qkv[1:]
            keys, values = layer.cache[0, :, :n], layer.cache[1, :, :n]
            relative = q @ layer.Er[:, skipped:]
            if self.padded:
                relative = (relative.view(B, H, n) + self.padding[:, None, :n]).view(B * H, n)
            scores = torch.baddbmm(relative[:, None], q[:, None], keys.transpose(1, 2))
            y = torch.bmm(torch.softmax(scores, -1), values).view(B, D)
            x = layer.norm1(x + F.linear(y, *layer.out))
            norm = layer.norm2
            if hasattr(layer, "memory"):
                q = F.linear(x, *layer.cross_query).view(B * H, 1, K)
                scores = torch.bmm(q, layer.memory[0].transpose(1, 2))
                y = torch.bmm(torch.softmax(scores, -1), layer.memory[1]).view(B, D)
                x = layer.norm2(x + F.linear(y, *layer.cross_out))
                norm = layer.norm3
            x = norm(x + F.linear(F.relu(F.linear(x, *layer.linear1)), *layer.linear2))
        return F.linear(self.norm(x), *self.Wout)


class Weights(nn.Module):
    """A layer's tensors as parameters, which the compilers take for constants."""

    def __init__(self, layer):
        super().__init__()
        for name, value in vars(layer).items():
            if isinstance(value, tuple):
                linear = nn.Linear(1, 1)
                linear.weight, linear.bias = (nn.Parameter(part.detach(), False) for part in value)
                self.add_module(name, linear)
            elif isinstance(value, nn.Module):
                self.add_module(name, value)
            elif name == "Er":
                self.Er = nn.Parameter(value.detach(), False)


class Step(nn.Module):
    """A step as one function of tensors alone, without control and PAD."""

    def __init__(self, decoder):
        super().__init__()
        self.config, self.B = decoder.config, decoder.B
        self.layers = nn.ModuleList(Weights(layer) for layer in decoder.layers)
        self.norm = decoder.norm
        self.Wout = Weights(decoder).Wout
        self.embedding = nn.Parameter(decoder.embedding.detach(), False)
        self.positions = nn.Parameter(decoder.positions.clone(), False)

    def heads(self):
        D, H = self.config["d_model"], self.config["heads"]
        return self.B, D, H, D // H

    def cross(self, layer, x, keys, values):
        B, D, H, K = self.heads()
        scores = torch.bmm(layer.cross_query(x).view(B * H, 1, K), keys.transpose(1, 2))
        return layer.norm2(x + layer.cross_out(torch.bmm(torch.softmax(scores, -1), values).view(B, D)))

    @staticmethod
    def feed_forward(layer, norm, x):
        return norm(x + layer.linear2(F.relu(layer.linear1(x))))


class CompiledStep(Step):
    """Of fixed shapes: attention runs over all positions of the caches given and hides those to come."""

    def forward(self, tokens, position, caches, memories):
        B, D, H, K = self.heads()
        L = self.config["max_sequence"]
        x = F.embedding(tokens, self.embedding) + self.positions[position]
        keys_at = torch.arange(caches[0].shape[2])
        place = torch.clamp(L - 1 - position + keys_at, max=L - 1)
        hidden = torch.where(keys_at <= position, 0.0, float("-inf"))
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(x).view(B, 3, H, K).transpose(0, 1).reshape(3, B * H, K)
            q = qkv[0]
            caches[i][:, :, position] = qkv[1:, :, None]
            relative = (q @ layer.Er)[:, place] + hidden
            scores = torch.bmm(q[:, None], caches[i][0].transpose(1, 2)) + relative[:, None]
            y = torch.bmm(torch.softmax(scores, -1), caches[i][1]).view(B, D)
            x, norm = layer.norm1(x + layer.out(y)), layer.norm2
            if memories:
                x, norm = self.cross(layer, x, memories[i][0], memories[i][1]), layer.norm3
            x = self.feed_forward(layer, norm, x)
        return self.Wout(self.norm(x))


class CompiledDecoder(EagerDecoder):
    """A graph for each of a few lengths of the caches."""

    @torch.no_grad()
    def __init__(self, model, B, memory_length, graphs=4):
        super().__init__(model, B, memory_length)
        L = self.config["max_sequence"]
        self.piece = max(128, L // graphs)
        self.caches = [[layer.cache[:, :, :end] for layer in self.layers]
                       for end in range(self.piece, L + 1, self.piece)]
        self.memories = [layer.memory for layer in self.layers] if memory_length else []
        self.places = [torch.tensor([t]) for t in range(L)]
        self.compiled = compiling.compiled(CompiledStep(self))

    def step(self, tokens, t):
        return self.compiled(tokens, self.places[t], self.caches[t // self.piece], self.memories)


class OnnxStep(Step):
    """Self-attention is ONNX Runtime's GroupQueryAttention, which appends to its caches in place, with the relative
    term as its bias. reach: L - n .. L - 1; reached: [B], n - 1;
    length: n."""

    def forward(self, tokens, position, reach, reached, length, caches, memories):
        B, D, H, K = self.heads()
        L = self.config["max_sequence"]
        x = F.embedding(tokens, self.embedding) + self.positions.index_select(0, position)
        presents = []
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(x)
            relative = (qkv[:, :D].reshape(B * H, K) @ layer.Er).index_select(1, reach).view(B, H, 1, -1)
            cache = (B, H, L, K)
            y, *present = torch.onnx.ops.symbolic_multi_out(
                "com.microsoft::GroupQueryAttention",
                (qkv[:, None], None, None, *caches[2 * i:2 * i + 2], reached, length, None, None, None, relative),
                {"num_heads": H, "kv_num_heads": H, "scale": 1.0}, dtypes=(torch.float32,) * 3,
                shapes=((B, 1, D), cache, cache), version=1)
            presents += present
            x, norm = layer.norm1(x + layer.out(y[:, 0])), layer.norm2
            if memories:
                x, norm = self.cross(layer, x, memories[2 * i], memories[2 * i + 1]), layer.norm3
            x = self.feed_forward(layer, norm, x)
        return self.Wout(self.norm(x)), *presents


class OnnxDecoder(EagerDecoder):
    """Without control, for tokens other than PAD."""

    @torch.no_grad()
    def __init__(self, model, B, memory_length, threads):
        super().__init__(model, B, memory_length)
        L, H, V = (self.config[name] for name in ("max_sequence", "heads", "vocabulary"))
        caches = [half.view(B, H, L, -1) for layer in self.layers for half in layer.cache]
        memories = [half for layer in self.layers for half in layer.memory] if memory_length else []
        self.places, self.reaches = torch.arange(L), torch.arange(L)
        self.reached = torch.arange(L, dtype=torch.int32)[:, None].repeat(1, B)
        self.lengths = torch.arange(1, L + 1, dtype=torch.int32)
        self.logits = torch.zeros(B, V)
        fixed = lambda tensors: [None] * len(tensors)
        names = ["tokens", "position", "reach", "reached", "length", *(f"past{i}" for i in range(len(caches))),
                 *(f"memory{i}" for i in range(len(memories)))]
        presents = [f"present{i}" for i in range(len(caches))]
        inputs = (torch.zeros(B, dtype=torch.int64), self.places[3:4], self.reaches[L - 4:], self.reached[3],
                  self.lengths[3], caches, memories)
        dynamic = (None, None, {0: torch.export.Dim("n", min=1, max=L)}, None, None, fixed(caches), fixed(memories))
        self.session = exporting.Session(OnnxStep(self), inputs, threads, names, ["logits", *presents],
                                         {"logits": self.logits, **dict(zip(presents, caches))}, dynamic)

    def step(self, tokens, t):
        bind, L, B = self.session.bind_at, self.config["max_sequence"], self.B
        bind("tokens", tokens.data_ptr(), [B], np.int64)
        bind("position", self.places.data_ptr() + 8 * t, [1], np.int64)
        bind("reach", self.reaches.data_ptr() + 8 * (L - 1 - t), [t + 1], np.int64)
        bind("reached", self.reached.data_ptr() + 4 * B * t, [B], np.int32)
        bind("length", self.lengths.data_ptr() + 4 * t, [], np.int32)
        self.session.run()
        return self.logits


@torch.inference_mode()
def greedy(decoder, memory, control=None):
    """SOS and its greedy continuation over all ids, L tokens. control: [12], from position 1 on."""
    decoder.start(memory)
    tokens = [240]
    for t in range(decoder.config["max_sequence"] - 1):
        token = torch.tensor([tokens[-1]])
        decoder.note_padding(token, t)
        rows = [] if control is None else [(control * (t > 0))[None]]
        tokens.append(decoder.step(token, t, *rows).argmax(-1).item())
    return tokens


def recomputed(model, memory, tokens):
    """The last token's logits, [B, V], from nothing but the tokens, [B, T]."""
    return model.logits(memory, tokens, form=attention.skew, padded=False)[:, -1]
