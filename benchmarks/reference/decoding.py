"""Writing music token by token with caches of keys and values, B sequences side by side.

EagerDecoder      one PyTorch call an operation
CompiledDecoder   the whole step through torch.compile
recomputed        no cache: the whole sequence anew for every token, as the published implementations do
"""

import torch
import torch.nn.functional as F

import attention


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
            self.cross_query = laid_out(cross.in_proj_weight[:D] * scale[:D, None], B), cross.in_proj_bias[:D] * scale[:D]
            self.cross_memory = cross.in_proj_weight[D:], cross.in_proj_bias[D:]
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


@torch.inference_mode()
def greedy(decoder, memory, control=None):
    """SOS and its greedy continuation over all ids, L tokens. control: [12], from position 1 on."""
    decoder.start(memory)
    tokens = [240]
    for t in range(decoder.config["max_sequence"] - 1):
        token = torch.tensor([tokens[-1]])
        decoder.note_padding(token, t)
        rows = None if control is None else (control * (t > 0))[None]
        tokens.append(decoder.step(token, t, rows).argmax(-1).item())
    return tokens


def recomputed(model, memory, tokens):
    """The last token's logits, [B, V], from nothing but the tokens, [B, T]."""
    return model.logits(memory, tokens, form=attention.skew, padded=False)[:, -1]
