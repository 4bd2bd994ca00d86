"""The engine's models in PyTorch, with the state_dict names of the published checkpoints.

Shapes: B batch, T target length, S memory tokens, D model width, H heads, K head width, V vocabulary. Sequences
are [B, T, D]. A config is a dictionary with the keys that the weights' metadata has.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

import attention

DEFAULTS = {"model": "encoder_decoder", "encoder": "conv", "d_model": 128, "heads": 8, "encoder_layers": 2,
            "decoder_layers": 2, "max_sequence": 128, "memory_positions": 150, "vocabulary": 243,
            "control": False, "rows": 9, "layout": "body25", "pose_layers": 10, "channels": 6, "width": 64,
            "kernel": 5, "blocks": 6, "rate_hz": 50, "time_positions": False}


def complete(config):
    config = {**DEFAULTS, **config}
    config.setdefault("feed_forward", 2 * config["d_model"])
    return config


def sinusoids(length, width):
    rates = 10000.0 ** (-(torch.arange(width) // 2 * 2).double() / width)
    angles = torch.arange(length).double()[:, None] * rates
    return torch.where(torch.arange(width) % 2 == 0, angles.sin(), angles.cos()).float()


class Positions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.register_buffer("pe", sinusoids(length, width)[:, None])  # [L, 1, width]


# ---- encoders of motion: [B, ...] -> [B, S, D] -----------------------------------------------------------


def conv_branch(*layers, dropout=0.2):
    steps = []
    for conv in layers:
        steps += [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*steps[:-1])


class ConvEncoder(nn.Module):
    """Two armbands' features, [B, 2, 3, frames] -> 27 tokens."""

    def __init__(self, D, frames=150):
        super().__init__()
        sensor = lambda: conv_branch(nn.Conv2d(1, 3, (3, 2)), nn.Conv2d(3, 6, (1, 3)), nn.Conv2d(6, 9, (1, 2)))
        self.individual_net1, self.individual_net2 = sensor(), sensor()
        self.combined_net = conv_branch(nn.Conv2d(1, 3, (2, 2)), nn.Conv2d(3, 9, (1, 3), stride=2),
                                        nn.Conv2d(9, 27, (1, 2)))
        self.fcn = nn.Linear((9 * (frames - 4) - 4) // 2, D)

    def forward(self, x):
        branches = [net(x[:, i:i + 1]).flatten(1)
                    for i, net in enumerate((self.individual_net1, self.individual_net2))]
        return self.fcn(self.combined_net(torch.stack(branches, 1)[:, None]).flatten(2))


class FrequencyEncoder(ConvEncoder):
    """The same layers on the magnitude spectra of six one-second segments, Hann window."""

    def __init__(self, D):
        super().__init__(D, 78)
        n, k = torch.arange(25).double(), torch.arange(13).double()
        window = (1 - torch.cos(2 * math.pi * n / 25)) / 25
        phase = 2 * math.pi * n[:, None] * k / 25
        waves = torch.cat([window[:, None] * phase.cos(), window[:, None] * phase.sin()], 1).float()
        self.register_buffer("waves", waves, persistent=False)  # [25, 26]

    def forward(self, x):
        real, imaginary = (x.unflatten(-1, (6, 25)) @ self.waves).split(13, -1)
        return super().forward(torch.sqrt(real * real + imaginary * imaginary).flatten(3))


class FullyConnectedEncoder(nn.Module):
    """Nine axes of two armbands, [B, 2, 9, 150] -> 9 tokens."""

    def __init__(self, D):
        super().__init__()
        self.conv, self.bn, self.fcn = nn.Conv2d(2, 1, 3, padding=1), nn.BatchNorm2d(1), nn.Linear(150, D)

    def forward(self, x):
        return self.fcn(F.leaky_relu(self.bn(self.conv(x)))[:, 0])


class ConvAttentionHead(nn.Module):
    """softmax over segments l of conv5x5(Q_i + K_l), times V_l. conv5x5 is linear, so Q_i cancels and every
    segment i gets the same: Q has weights and is not computed."""

    def __init__(self, D, K):
        super().__init__()
        for name in ("Wiq", "Wik", "Wiv"):
            setattr(self, name, nn.Parameter(torch.randn(D, K) * D ** -0.5))
        self.conv1 = nn.Sequential(nn.Conv2d(D, 3 * D, 1))
        self.conv2 = nn.Sequential(nn.Conv2d(K, K, 5, padding=2))

    def forward(self, x, B):  # [6 B, D, h, 25], segments outermost -> [B, K, h, 25]
        D = self.Wik.shape[0]

        def project(part, matrix):
            rows = slice(part * D, part * D + D)
            y = F.conv2d(x, self.conv1[0].weight[rows], self.conv1[0].bias[rows])
            return F.conv2d(y, matrix.t()[:, :, None, None])

        scores = self.conv2(project(1, self.Wik)).unflatten(0, (6, B))
        return (torch.softmax(scores, 0) * project(2, self.Wiv).unflatten(0, (6, B))).sum(0)


class ConvTransformerEncoder(nn.Module):
    """Six segments of one second as images, [B, 2, h, 150] -> 150 h tokens in the order (h, time, segment)."""

    def __init__(self, D, heads, layers, rows):
        super().__init__()
        generator, widths = {}, (2, 4, 6, 8, D)
        for i in range(4):
            generator[f"conv{i + 1}"] = nn.Conv2d(widths[i], widths[i + 1], 3, padding=1)
            generator[f"bn{i + 1}"] = nn.BatchNorm2d(widths[i + 1])
        self.generator = nn.ModuleDict(generator)
        segment, channel = torch.arange(6).double()[:, None], torch.arange(D).double()[None]
        angles = segment * 10000.0 ** (-(channel // 2 * 2) / D)
        table = torch.where(segment % 2 == 0, angles.sin(), angles.cos()).float()
        self.pos_embedding = nn.Module()
        self.pos_embedding.register_buffer("pos_table", table[:, None, :, None, None].repeat(1, 1, 1, rows, 25))

        def residual(inner):
            return nn.ModuleDict({"fn": nn.ModuleDict({"norm": nn.LayerNorm((D, rows, 25)), "fn": inner})})

        self.Encoder = nn.Module()
        self.Encoder.layers = nn.ModuleList()
        for _ in range(layers):
            heads_and_mix = nn.Module()
            heads_and_mix.W0 = nn.Parameter(torch.randn(D, D) * D ** -0.5)
            heads_and_mix.convs = nn.ModuleList(ConvAttentionHead(D, D // heads) for _ in range(heads))
            along = nn.ModuleDict({"net": nn.Sequential(nn.Linear(6, 24), nn.LeakyReLU(), nn.Linear(24, 6))})
            self.Encoder.layers.append(nn.ModuleList([residual(heads_and_mix), residual(along)]))

    def forward(self, x):
        B = x.shape[0]
        x = x.unflatten(-1, (6, 25)).permute(3, 0, 1, 2, 4).flatten(0, 1)  # segments outermost
        for i in range(1, 5):
            norm = self.generator[f"bn{i}"]
            y = self.generator[f"conv{i}"](x)
            y = torch.cat([norm(segment) for segment in y.chunk(6)]) if self.training else norm(y)
            x = F.leaky_relu(y)
        x = (x.unflatten(0, (6, B)) + self.pos_embedding.pos_table[:, :1]).flatten(0, 1)
        for attend, along in self.Encoder.layers:
            attend, along = attend["fn"], along["fn"]
            normed = attend["norm"](x)
            joined = torch.cat([head(normed, B) for head in attend["fn"].convs], 1)
            mixed = F.conv2d(joined, attend["fn"].W0.t()[:, :, None, None])
            x = (x.unflatten(0, (6, B)) + mixed).flatten(0, 1)
            segments = along["norm"](x).unflatten(0, (6, B)).movedim(0, -1)
            x = x + along["fn"]["net"](segments).movedim(-1, 0).flatten(0, 1)
        return x.unflatten(0, (6, B)).permute(1, 3, 4, 0, 2).flatten(1, 3)


class TemporalBlock(nn.Module):
    def __init__(self, W, kernel, dilation, dropout):
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(W), nn.Dropout(dropout)
        self.conv, self.mix = nn.Conv1d(W, W, kernel, dilation=dilation), nn.Conv1d(W, W, 1)

    def forward(self, x):
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        return x + self.mix(self.dropout(F.relu(causal_conv(self.conv, normed))))


def causal_conv(conv, x):
    return conv(F.pad(x, ((conv.kernel_size[0] - 1) * conv.dilation[0], 0)))


class TemporalEncoder(nn.Module):
    """Causal dilated convolutions, [B, C, T] -> one token every 80 ms."""

    def __init__(self, D, C, W, kernel, blocks, rate_hz, dropout=0.1):
        super().__init__()
        self.register_buffer("mean", torch.zeros(C))
        self.register_buffer("deviation", torch.ones(C))
        self.stem = nn.Conv1d(C, W, kernel)
        halvings = int(math.log2(2 * rate_hz / 25))
        self.halvings = nn.ModuleList(nn.Conv1d(W, W, kernel, stride=2) for _ in range(halvings))
        self.halved_before = [sum(j * blocks // halvings == i for j in range(halvings)) for i in range(blocks)]
        self.blocks, dilation = nn.ModuleList(), 1
        for halved in self.halved_before:
            dilation = 1 if halved else dilation
            self.blocks.append(TemporalBlock(W, kernel, dilation, dropout))
            dilation *= 2
        self.norm, self.fcn = nn.LayerNorm(W), nn.Linear(W, D)
        self.register_buffer("positions", sinusoids(1024, D), persistent=False)

    def forward(self, x):
        x = (x - self.mean[:, None]) / self.deviation[:, None]
        x, halvings = F.relu(causal_conv(self.stem, x)), iter(self.halvings)
        for halved, block in zip(self.halved_before, self.blocks):
            for _ in range(halved):
                x = F.relu(causal_conv(next(halvings), x))
            x = block(x)
        x = x.transpose(1, 2)
        return self.fcn(self.norm(x)) + self.positions[:x.shape[1]]


# ---- ST-GCN ----------------------------------------------------------------------------------------------


def skeleton(layout):
    """Edges, nodes, values a node, centre."""

    def hand(wrist, first):
        fingers = [[wrist, *range(first + 4 * i, first + 4 * i + 4)] for i in range(5)]
        return [pair for finger in fingers for pair in zip(finger, finger[1:])]

    if layout == "hands":
        return hand(0, 1) + hand(21, 22), 42, 2, 0
    body = [(1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13),
            (13, 14), (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22),
            (22, 23), (11, 24)]
    if layout == "body65":
        return body + hand(7, 25) + hand(4, 45), 65, 3, 1
    return body, 25, 3, 1


def adjacency(layout):
    """[3, V, V]: column-normalised, split into the node itself, neighbours not nearer to the centre, nearer ones;
    all that is more than a step from the centre is equally far."""
    edges, V, _, centre = skeleton(layout)
    linked = torch.eye(V)
    for a, b in edges:
        linked[a, b] = linked[b, a] = 1
    distance = torch.where(linked[centre] > 0, 1, 2)
    distance[centre] = 0
    itself = torch.eye(V, dtype=torch.bool)
    further = (distance[:, None] >= distance[None, :]) & ~itself
    normed = linked / linked.sum(0)
    return torch.stack([normed * itself, normed * further, normed * ~(itself | further)])


class StGcnBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, first):
        super().__init__()
        self.gcn = nn.ModuleDict({"conv": nn.Conv2d(inputs, 3 * outputs, 1)})
        self.tcn = nn.Sequential(nn.BatchNorm2d(outputs), nn.ReLU(),
                                 nn.Conv2d(outputs, outputs, (9, 1), (stride, 1), (4, 0)),
                                 nn.BatchNorm2d(outputs), nn.Dropout(0.0 if first else 0.1))
        self.first = first
        if not first and (inputs != outputs or stride != 1):
            self.residual = nn.Sequential(nn.Conv2d(inputs, outputs, 1, (stride, 1)), nn.BatchNorm2d(outputs))
        else:
            self.residual = nn.Identity()

    def forward(self, x, A):
        y = self.gcn["conv"](x).unflatten(1, (3, -1))
        y = self.tcn(torch.einsum("nkctv,kvw->nctw", y, A))
        return F.relu(y if self.first else y + self.residual(x))


class PoseEncoder(nn.Module):
    """Keypoints, [B, C, T, V, M] -> T, T/2 or T/4 tokens."""

    def __init__(self, D, layout, layers):
        super().__init__()
        _, V, C, _ = skeleton(layout)
        self.register_buffer("A", adjacency(layout))
        self.data_bn = nn.BatchNorm1d(V * C)
        widths = [C, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256][:layers + 1]
        self.st_gcn_networks = nn.ModuleList(
            StGcnBlock(widths[i], widths[i + 1], 2 if i in (4, 7) else 1, i == 0) for i in range(layers))
        self.edge_importance = nn.ParameterList(nn.Parameter(torch.ones(3, V, V)) for _ in range(layers))
        self.fcn = nn.Conv2d(widths[-1], D, 1)

    def forward(self, x):
        B, C, T, V, M = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(B * M, V * C, T))
        x = x.view(B * M, V, C, T).permute(0, 2, 3, 1).contiguous()
        for block, importance in zip(self.st_gcn_networks, self.edge_importance):
            x = block(x, self.A * importance)
        x = x.mean(3).unflatten(0, (B, M)).mean(1)  # [B, width, S]
        return self.fcn(x[..., None])[..., 0].transpose(1, 2)


# ---- transformers ----------------------------------------------------------------------------------------


class SelfAttention(nn.Module):
    def __init__(self, D, heads, L):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.randn(3 * D, D) * D ** -0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * D))
        self.Er = nn.Parameter(torch.randn(L, D // heads))
        self.out_proj = nn.Linear(D, D)
        self.heads = heads

    def forward(self, x, mask, form):
        B, n, D = x.shape
        K = D // self.heads
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(B, n, 3, self.heads, K).permute(2, 0, 3, 1, 4)
        y = form(q * K ** -0.5, k, v, self.Er[self.Er.shape[0] - n:], mask)
        return self.out_proj(y.transpose(1, 2).reshape(B, n, D))


class CrossAttention(nn.Module):
    def __init__(self, D, heads):
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.randn(3 * D, D) * D ** -0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * D))
        self.out_proj = nn.Linear(D, D)
        self.heads = heads

    def forward(self, x, memory):
        D = x.shape[2]
        split = lambda y: y.unflatten(2, (-1, self.heads, D // self.heads)).permute(2, 0, 3, 1, 4)
        (q,) = split(F.linear(x, self.in_proj_weight[:D], self.in_proj_bias[:D]))
        k, v = split(F.linear(memory, self.in_proj_weight[D:], self.in_proj_bias[D:]))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """Post-norm; unmasked it is an encoder's, causal a decoder's without memory."""

    def __init__(self, D, heads, feed_forward, L, dropout):
        super().__init__()
        self.self_attn = SelfAttention(D, heads, L)
        self.linear1, self.linear2 = nn.Linear(D, feed_forward), nn.Linear(feed_forward, D)
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.dropout = nn.Dropout(dropout)

    def feed_forward(self, x):
        return self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x)))))

    def forward(self, x, mask, form):
        x = self.norm1(x + self.dropout(self.self_attn(x, mask, form)))
        return self.norm2(x + self.feed_forward(x))


class DecoderLayer(EncoderLayer):
    def __init__(self, D, heads, feed_forward, L, dropout):
        super().__init__(D, heads, feed_forward, L, dropout)
        self.multihead_attn, self.norm3 = CrossAttention(D, heads), nn.LayerNorm(D)

    def forward(self, x, mask, form, memory):
        x = self.norm1(x + self.dropout(self.self_attn(x, mask, form)))
        x = self.norm2(x + self.dropout(self.multihead_attn(x, memory)))
        return self.norm3(x + self.feed_forward(x))


class Stack(nn.Module):
    def __init__(self, layers, D):
        super().__init__()
        self.layers, self.norm = nn.ModuleList(layers), nn.LayerNorm(D)

    def forward(self, x, mask, form, *memory):
        for layer in self.layers:
            x = layer(x, mask, form, *memory)
        return self.norm(x)


class Lstm(nn.Module):
    def __init__(self, D, layers, linear):
        super().__init__()
        self.lstm = nn.LSTM(D, D, layers, batch_first=True)
        if linear:
            self.linear = nn.Linear(D, D)


class Model(nn.Module):
    def __init__(self, config, dropout=0.1):
        super().__init__()
        self.config = config = complete(config)
        D, L, V = config["d_model"], config["max_sequence"], config["vocabulary"]
        self.pad = 242 if V == 332 else V - 1
        self.embedding = nn.Embedding(V, D)
        if config["control"]:
            self.concat_fc = nn.Sequential(nn.Linear(D + 13, D), nn.LeakyReLU(0.1))
            self.control_positional_encoding = Positions(L, 12)
        if config["encoder"] == "pose":
            self.pose_net = PoseEncoder(D, config["layout"], config["pose_layers"])
        elif config["encoder"] != "none":
            self.imu_net = make_encoder(config)
        self.positional_encoding = Positions(L, D)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Module()
        sizes = D, config["heads"], config["feed_forward"]
        if config["model"] == "lstm_seq2seq":
            self.transformer.encoder = Lstm(D, config["encoder_layers"], False)
            self.transformer.decoder = Lstm(D, config["decoder_layers"], True)
        elif config["model"] == "music_transformer":
            layers = [EncoderLayer(*sizes, L, dropout) for _ in range(config["decoder_layers"])]
            self.transformer.encoder = Stack(layers, D)
        else:
            positions = config["memory_positions"]
            layers = [EncoderLayer(*sizes, positions, dropout) for _ in range(config["encoder_layers"])]
            self.transformer.encoder = Stack(layers, D)
            layers = [DecoderLayer(*sizes, L, dropout) for _ in range(config["decoder_layers"])]
            self.transformer.decoder = Stack(layers, D)
        self.Wout = nn.Linear(D, V)

    def encode_motion(self, x):
        return self.pose_net(x) if self.config["encoder"] == "pose" else self.imu_net(x)

    def encode_memory(self, features, form=attention.sdpa):
        """What the music is written from, [B, S, D]; of an LSTM, its last token and its state."""
        if self.config["model"] == "lstm_seq2seq":
            return features[:, -1:], self.transformer.encoder.lstm(features)[1]
        return self.transformer.encoder(features, None, form)

    def embed(self, tokens, first=0, control=None):
        """tokens: [B, T], control: [B, T, 12] or None -> [B, T, D]; positions first..."""
        if self.config["time_positions"]:
            raise NotImplementedError("positions of musical time")
        last = first + tokens.shape[1]
        x = self.dropout(self.embedding(tokens) + self.positional_encoding.pe[first:last, 0])
        if not self.config["control"]:
            return x
        histogram = self.control_positional_encoding.pe[first:last, 0].expand(*tokens.shape, 12)
        flag = x.new_ones(*tokens.shape, 1)
        if control is not None:
            histogram, flag = histogram + control, flag * 0
        return self.concat_fc(torch.cat([x, flag, histogram], 2))

    def logits(self, memory, tokens, control=None, form=attention.sdpa, padded=True):
        """memory: as encode_memory gives it; tokens: [B, T] -> [B, T, V]. padded: whether there may be PAD."""
        if self.config["model"] == "lstm_seq2seq":
            y, state = memory
            outputs = []
            for _ in range(tokens.shape[1]):
                y, state = self.transformer.decoder.lstm(y, state)
                y = self.transformer.decoder.linear(y)
                outputs.append(y)
            return self.Wout(torch.cat(outputs, 1))
        x, n = self.embed(tokens, control=control), tokens.shape[1]
        if self.config["model"] == "music_transformer":
            return self.Wout(self.transformer.encoder(x, attention.causal_mask(n), form))
        mask = attention.causal_mask(n, tokens == self.pad if padded else None)
        return self.Wout(self.transformer.decoder(x, mask, form, memory))

    def forward(self, input, tokens, control=None, form=attention.sdpa, padded=True):
        memory = None
        if self.config["encoder"] != "none":
            memory = self.encode_memory(self.encode_motion(input), form)
        return self.logits(memory, tokens, control, form, padded)


def make_encoder(config):
    config = complete(config)
    D, encoder = config["d_model"], config["encoder"]
    if encoder == "conv":
        return ConvEncoder(D)
    if encoder == "frequency":
        return FrequencyEncoder(D)
    if encoder == "fully_connected":
        return FullyConnectedEncoder(D)
    if encoder == "conv_transformer":
        return ConvTransformerEncoder(D, config["heads"], config["decoder_layers"], config["rows"])
    if encoder == "temporal":
        return TemporalEncoder(D, config["channels"], config["width"], config["kernel"], config["blocks"],
                               config["rate_hz"])
    if encoder == "pose":
        return PoseEncoder(D, config["layout"], config["pose_layers"])
    raise ValueError(f"there is no encoder {encoder}")


def load(model, tensors):
    """Fills the model; every tensor must be there and none over. The ConvTransformer's table of positions has
    the training batch as an axis, all of whose entries are alike."""
    tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    table = "imu_net.pos_embedding.pos_table"
    if table in tensors:
        tensors[table] = tensors[table][:, :1]
    own = model.state_dict()
    for name in own:
        if name.endswith("num_batches_tracked"):
            tensors.setdefault(name, own[name])
    model.load_state_dict(tensors, strict=True)
    return model.eval()
