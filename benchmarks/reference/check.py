"""Whether these models are the ones of the golden cases.

python check.py GOLDEN [WEIGHTS]

GOLDEN: the folder of the golden cases; WEIGHTS: safetensors with a config, whose tensors must all be known. Checks
logits, gradients, greedy tokens by a cache of keys and values and the same by ONNX Runtime; and the encoders as they
are exported. Exit status 1 if any disagrees; what is absent is told and passed over.
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F

import attention
import decoding
import exporting
import models
import rows
from tensor_file import read_safetensors


def golden_config(case, tensors):
    """What the case's metadata and the checkpoint's shapes say."""
    config = {"d_model": int(case["d_model"]), "heads": int(case["heads"]), "vocabulary": int(case["vocab"]),
              "max_sequence": int(case["max_sequence"]), "encoder_layers": int(case["encoder_layers"]),
              "decoder_layers": int(case["decoder_layers"]), "control": "concat_fc.0.weight" in tensors}
    config["encoder"] = {"conv": "conv", "lstm": "conv", "fc": "fully_connected", "convtr": "conv_transformer",
                         "foley": "pose", "gw": "none"}[case["case"]]
    if case["case"] == "lstm":
        config["model"] = "lstm_seq2seq"
    if case["case"] == "gw":
        config["model"] = "music_transformer"
    if case["case"] == "foley":
        importances = [name for name in tensors if name.startswith("pose_net.edge_importance.")]
        config["pose_layers"] = len(importances)
        config["layout"] = {25: "body25", 42: "hands", 65: "body65"}[tensors["pose_net.A"].shape[1]]
    if case["case"] == "convtr":
        config["rows"] = tensors["imu_net.pos_embedding.pos_table"].shape[3]
    Er = tensors.get("transformer.encoder.layers.0.self_attn.Er")
    if Er is not None and case["case"] != "gw":
        config["memory_positions"] = Er.shape[0]
    return config


class Checks:
    def __init__(self):
        self.failed = 0

    def agree(self, what, found, wanted, absolute=1e-4, relative=1e-4):
        excess = ((found - wanted).abs() - relative * wanted.abs()).max().item()
        self.tell(what, excess <= absolute, f"differs by {excess:.1e} more than allowed")

    def same(self, what, found, wanted):
        at = next((i for i, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), None)
        self.tell(what, found == wanted, f"differs from token {at} on")

    def tell(self, what, right, otherwise):
        print(f"{'ok  ' if right else 'FAIL'} {what}" + ("" if right else ": " + otherwise))
        self.failed += not right


def stepwise(decoder, memory, tokens, control):
    decoder.start(memory)
    rows = []
    for t in range(tokens.shape[1]):
        decoder.note_padding(tokens[:, t], t)
        rows.append(decoder.step(tokens[:, t], t, None if control is None else control[:, t]))
    return torch.stack(rows, 1)


@torch.enable_grad()
def check_training(checks, name, config, state, expected):
    model = models.load(models.Model(config, dropout=0.0), state).train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    logits = model(expected.get("input"), expected["tokens_in"], expected.get("control"), attention.skew)
    checks.agree(f"{name}: training, logits", logits, expected["logits_train"], 1e-3, 1e-3)
    F.cross_entropy(logits.flatten(0, 1), expected["tokens_out"].flatten(), ignore_index=model.pad).backward()
    wanted = {parameter: expected[f"grad.{parameter}"] for parameter, _ in model.named_parameters()
              if f"grad.{parameter}" in expected}
    if not wanted:
        print(f"     {name}: no gradients, passed over")
        return
    scale, worst = max(gradient.norm() for gradient in wanted.values()), 0.0
    for parameter, tensor in model.named_parameters():
        if parameter in wanted:
            gradient, r = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad, wanted[parameter]
            worst = max(worst, ((gradient - r).norm() / (1e-2 * r.norm() + 1e-6 * scale)).item())
    checks.tell(f"{name}: training, {len(wanted)} gradients", worst <= 1, f"differ by {worst:.1f} times the tolerance")


@torch.no_grad()
def check_case(checks, folder):
    state = torch.load(folder / "checkpoint.pth.tar", map_location="cpu", weights_only=False)["model_state_dict"]
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    expected, case = read_safetensors(folder / "expected.safetensors")
    model = models.load(models.Model(golden_config(case, state)), state)
    if "pose_net.A" in state:
        checks.agree(f"{folder.name}: adjacency", models.adjacency(model.config["layout"]), state["pose_net.A"], 1e-6)
    for form in (attention.skew, attention.sdpa):
        logits = model(expected.get("input"), expected["tokens_in"], expected.get("control"), form)
        checks.agree(f"{folder.name}: logits, {form.__name__}", logits, expected["logits_eval"])
    check_training(checks, folder.name, golden_config(case, state), state, expected)
    if model.config["model"] == "lstm_seq2seq":
        return
    B = len(expected["tokens_in"])
    memory = None if "input" not in expected else model.encode_memory(model.encode_motion(expected["input"]))
    decoder = decoding.EagerDecoder(model, B, 0 if memory is None else memory.shape[1])
    checks.agree(f"{folder.name}: logits, cache of {B}",
                 stepwise(decoder, memory, expected["tokens_in"], expected.get("control")), expected["logits_eval"])
    if "greedy_tokens" not in expected:
        print(f"     {folder.name}: no greedy tokens, passed over")
        return
    wanted = expected["greedy_tokens"][0].tolist()
    decoders = {"cache": decoding.EagerDecoder(model, 1, memory.shape[1])}
    if model.config["d_model"] // model.config["heads"] % 8 == 0 and not model.config["control"]:
        decoders["ONNX Runtime"] = decoding.OnnxDecoder(model, 1, memory.shape[1], 1)
    else:
        print(f"     {folder.name}: not exported (control, or heads too narrow for ONNX Runtime), passed over")
    for form, decoder in decoders.items():
        found = decoding.greedy(decoder, memory[:1], expected.get("control_generate"))
        checks.same(f"{folder.name}: greedy tokens, {form}", found, wanted)


@torch.no_grad()
def check_exports(checks):
    """The rows' networks by ONNX Runtime against PyTorch, random weights."""
    for name, (config, shape) in rows.ENCODERS.items():
        encoder, x = rows.MotionEncoder(models.Model(config)).eval(), torch.randn(shape)
        session = exporting.Session(encoder, (x,), 1)
        session.run()
        found = encoder(x)
        while isinstance(found, tuple):
            found = found[-1]
        checks.agree(f"{name}: exported encoder", session.outputs()[-1], found)


def check_weights(checks, path):
    tensors, metadata = read_safetensors(path)
    try:
        models.load(models.Model(json.loads(metadata["imu2music.config"])), tensors)
        checks.tell(f"{path.name}: every tensor known", True, "")
    except RuntimeError as error:
        checks.tell(f"{path.name}: every tensor known", False, str(error))


def main(arguments):
    torch.manual_seed(1)
    checks = Checks()
    folders = sorted(path.parent for path in pathlib.Path(arguments[0]).glob("*/checkpoint.pth.tar"))
    if not folders:
        print(f"no golden cases in {arguments[0]}: passed over")
    for folder in folders:
        check_case(checks, folder)
    for path in map(pathlib.Path, arguments[1:]):
        check_weights(checks, path)
    check_exports(checks)
    print(f"{checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
