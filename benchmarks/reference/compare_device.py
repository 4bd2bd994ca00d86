"""Our CUDA backend beside PyTorch on the same NVIDIA GPU, as one table.

All engines of a row in turn, several visits each, medians; what the device does at best is measured in the same run.

    compare_device.py --ours BENCH_DEVICE --python PYTHON --output TABLE.md [--rows PATTERN...] [--resume]
"""

import argparse
import pathlib
import statistics
import sys
import time

import compare

BOTH = ["ours", "ours-bf16", "eager", "compile", "eager-bf16", "compile-bf16"]
FORMS = ["ours", "ours-bf16", "flex", "skew", "sdpa", "flex-bf16", "skew-bf16", "sdpa-bf16"]
GROUPS = [
    ("Decoding, one token of one sequence, each the likeliest and fed back", ["decode/d128", "decode/d512"], BOTH),
    ("Relative attention, 8 heads, forward", ["attention/forward/T2048/K64", "attention/forward/T8192/K64"], FORMS),
    ("Relative attention, 8 heads, forward and backward", ["attention/both/T2048/K64", "attention/both/T8192/K64"], FORMS),
    ("A step of training: d 128, batch 15; d 512, 6 layers, T 512, batch 64", ["train/d128", "train/d512"], BOTH),
]


class DeviceComparison(compare.Comparison):
    def engine(self, name, row):
        ours = name.startswith("ours")
        command = [self.options.ours] if ours else [self.options.python, str(compare.HERE / "device_server.py")]
        return PeakEngine(command)

    def run(self):
        about = self.engine("ours", "").ask(describe=True)
        peers = self.engine("eager", "").ask(describe=True)
        if "not_run" in about or "not_run" in peers:
            sys.exit("compare_device.py: " + about.get("not_run", peers.get("not_run")))
        for _, rows, names in GROUPS:
            for row in filter(self.wanted, rows):
                began = time.time()
                self.measure(row, names, 1)
                print(f"{row}: {time.time() - began:.0f} s", file=sys.stderr, flush=True)
        self.write(about, peers)
        self.log.unlink()

    def write(self, about, peers):
        ceilings = peers["ceilings"]
        lines = ["# The CUDA backend beside PyTorch", "", f"{about['device']}.",
                 "Peers: " + ", ".join(f"{k} {v}" for k, v in peers["versions"].items()) + ".",
                 f"Ceilings: copying {ceilings['copy_gb_s']:.0f} GB/s, read and written together; products of bfloat16 "
                 f"{ceilings['bf16_tflop_s']:.0f} TF/s.", "",
                 f"Medians of {self.options.rounds} visits of {self.options.seconds} s or longer, all engines of a row in "
                 "turn; ± half the distance of the quartiles; in brackets how many times as long as ours in the same "
                 "precision; then the most memory of the device."]
        for title, rows, names in GROUPS:
            rows = [row for row in rows if self.wanted(row)]
            if not rows:
                continue
            lines += ["", f"## {title}", "", "| work | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
            reasons = {}
            for row in rows:
                lines.append(f"| {row} | " + " | ".join(self.cell(row, name, reasons) for name in names) + " |")
            for (name, reason), where in reasons.items():
                lines += ["", f"{name}, not run ({', '.join(where)}): {reason}."]
        pathlib.Path(self.options.output).write_text("\n".join(lines) + "\n")

    def cell(self, row, name, reasons):
        cell = self.cells.get((row, name, 1), {})
        if not cell.get("times"):
            reasons.setdefault((name, cell.get("not_run", "not asked for")), []).append(row)
            return "not run"
        low, middle, high = compare.quartiles(cell["times"])
        text = f"{compare.number(middle)} ±{50 * (high - low) / middle:.0f} %"
        ours = self.cells.get((row, "ours-bf16" if name.endswith("-bf16") else "ours", 1), {})
        if not name.startswith("ours") and ours.get("times"):
            text += f" ({middle / statistics.median(ours['times']):.2f})"
        return text + (f", {cell['peak'] / 2**20:.0f} MiB" if cell.get("peak") else "")


class PeakEngine(compare.Engine):
    """Whose answers tell how much of the device's memory was taken."""

    def ask(self, **request):
        answer = super().ask(**request)
        self.peak = max(getattr(self, "peak", 0), int(answer.get("peak", 0)))
        return answer

    def peak_bytes(self):
        return getattr(self, "peak", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rows", nargs="+", default=["*"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--resume", action="store_true")
    DeviceComparison(parser.parse_args()).run()


if __name__ == "__main__":
    main()
