"""The engine beside its peers: the same rows, turn about, in one run; a Markdown table of medians.

python compare.py --ours PATH/bench_engine --python PATH/python --output FILE.md [--rows PATTERN...] [--threads 1 2]
                  [--rounds 3] [--seconds 0.4] [--program PATH/imu2music --weights FILE] [--resume]

Every cell is measured in `rounds` visits; between two visits of an engine all the others have theirs. Until the table
is written, what was measured stands in FILE.jsonl, from which --resume goes on.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

ATTENTION = ["ours", "skew", "sdpa", "compile", "flex"]
GROUPS = [
    ("Decoding, one token of one sequence",
     ["decode/d128", "decode/d512", "decode/only512"],
     ["ours", "ours-bf16", "ours-int8", "eager", "compile", "onnxruntime", "recompute"]),
    ("Decoding 16 sequences side by side, one token of one",
     ["decode16/d128", "decode16/d512"], ["ours", "ours-bf16", "ours-int8", "eager", "compile", "onnxruntime"]),
    ("Encoders of motion, a window of six seconds",
     ["encode/conv", "encode/fc", "encode/temporal", "encode/lstm", "encode/stgcn", "encode/frequency",
      "encode/conv_transformer"], ["ours", "eager", "compile", "onnxruntime"]),
    ("Prefill, decoder-only, d 512, 6 layers", ["prefill/512", "prefill/2048"],
     ["ours", "eager", "compile", "onnxruntime"]),
    ("Relative attention, 8 heads, forward",
     [f"attention/forward/T{T}/K{K}" for K in (16, 64) for T in (128, 512, 1024, 2048, 4096)], ATTENTION),
    ("Relative attention, 8 heads, forward and backward",
     [f"attention/both/T{T}/K{K}" for K in (16, 64) for T in (128, 512, 1024, 2048, 4096)], ATTENTION),
    ("The temporal encoder, 15 windows of six seconds", ["temporal/forward", "temporal/both"],
     ["ours", "eager", "compile"]),
    ("A step of training", ["train/d128", "train/d512"], ["ours", "eager", "compile"]),
    ("Dense layers, rows x inputs x outputs",
     [f"linear/{rows}x{matrix}" for rows, matrices in (
         ((1, 16, 128, 1920), ("128x384", "128x128", "128x256", "256x128", "128x243")),
         ((1, 16, 512, 4096), ("512x1536", "512x512", "512x1024", "1024x512", "512x390")))
      for rows in rows for matrix in matrices], ["ours", "eigen", "onednn", "eager", "onnxruntime"]),
    ("Sampling, one id of 243, top-k 40, top-p 0.9", ["sample/243"], ["ours", "eager"]),
    ("From the process's start: ours to a finished MIDI file, the peers to an import", ["start"],
     ["ours", "eager", "onnxruntime"]),
    ("On disk: the program stripped, the peers' packages without what they depend on", ["size"],
     ["ours", "eager", "onnxruntime"]),
    ("Compiling a file, g++ -O2, processor time: generates with engine.hpp; with imu2music.hpp; json.hpp included alone",
     ["compile"], ["ours", "imu2music.hpp", "nlohmann/json.hpp"]),
]
# Rows whose processes' peak memory is told.
PEAKS = {"decode/d128", "decode/d512", "decode/only512", "prefill/2048", "attention/forward/T2048/K64",
         "attention/forward/T4096/K64", "attention/both/T2048/K64", "attention/both/T4096/K64", "train/d128", "train/d512"}
PEERS = {"ours", "ours-bf16", "ours-int8", "eigen", "onednn"}


class Engine:
    """A process that answers requests."""

    def __init__(self, command):
        # LLVM's OpenMP spins for 200 ms after its last work, GCC's for a few: into the next one's turn, or not.
        environment = dict(os.environ, KMP_BLOCKTIME="5")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment, stderr=subprocess.DEVNULL)

    def ask(self, **request):
        time.sleep(0.05)  # whose turn it was has come to rest
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            return {"not_run": "the process ended"}
        return json.loads(line)

    def peak_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Start:
    """From exec to exit."""

    def __init__(self, program, weights, recording, sensors):
        self.folder = tempfile.mkdtemp(prefix="imu2music-start-")
        self.command = [program, "generate", recording, "--weights", weights, "--duration", "6", "--seed", "1", "-o",
                        os.path.join(self.folder, "music.mid")]
        self.command += ["--sensors", sensors] if sensors else []

    def ask(self, **request):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            done = subprocess.run([*self.command, "--threads", str(request["threads"])], capture_output=True, text=True)
            if done.returncode != 0:
                return {"not_run": (done.stderr.strip().splitlines() or ["failed"])[-1]}
            times.append(time.perf_counter() - began)
        return {"times": times}


class Size:
    """Bytes of a file without its symbols, or of a folder; path None: of what is not there."""

    def __init__(self, path, stripped=False):
        self.path, self.stripped = path and pathlib.Path(path), stripped

    def ask(self, **request):
        if self.path is None:
            return {"not_run": "it is not installed"}
        if not self.stripped:
            return {"times": [sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())]}
        with tempfile.NamedTemporaryFile() as copy:
            subprocess.run(["strip", "-o", copy.name, self.path], check=True)
            return {"times": [os.path.getsize(copy.name)]}


class Compilation:
    """Processor seconds of the compiler."""

    def __init__(self, source):
        self.source = source

    def ask(self, **request):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file.cpp")
            file.write_text(self.source)
            done = subprocess.run(["g++", "-std=c++20", "-O2", "-I", ROOT / "include", "-I", ROOT / "kernels", "-c", file,
                                   "-o", file.with_suffix(".o")], capture_output=True, text=True)
        if done.returncode != 0:
            return {"not_run": (done.stderr.strip().splitlines() or ["failed"])[0]}
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"times": [after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime]}


def package(python, name):
    """The folder of an installed package; None where it is not."""
    code = f"import importlib.util; print(importlib.util.find_spec('{name}').submodule_search_locations[0])"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip() or None


def megabytes(size):
    return f"{size / 1e6:.3g} MB" if size < 1e9 else f"{size / 1e6:.0f} MB"


def number(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            break
    value = seconds / size
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def span(rates):
    low, high = f"{min(rates):.3g}", f"{max(rates):.3g}"
    return low if low == high else f"{low} to {high}"


def quartiles(times):
    ordered = sorted(times)
    return [ordered[round(share * (len(ordered) - 1))] for share in (0.25, 0.5, 0.75)]


def read_ceiling(ceilings, threads, size):
    """Bytes a second at the smallest measured working set that holds `size`."""
    sets = ceilings["read_gb_s"][str(threads)]
    scale = {"KiB": 2**10, "MiB": 2**20}
    ordered = sorted(sets, key=lambda name: float(name.split()[0]) * scale[name.split()[1]])
    for name in ordered:
        if float(name.split()[0]) * scale[name.split()[1]] >= size:
            return sets[name] * 1e9
    return sets[ordered[-1]] * 1e9


class Comparison:
    def __init__(self, options):
        self.options = options
        self.log = pathlib.Path(options.output).with_suffix(".jsonl")
        self.cells = {}
        if options.resume and self.log.exists():
            for line in self.log.read_text().splitlines():
                entry = json.loads(line)
                self.cells[entry["row"], entry["engine"], entry["threads"]] = entry
        elif self.log.exists():
            self.log.unlink()

    def wanted(self, row):
        return any(fnmatch.fnmatch(row, pattern) for pattern in self.options.rows)

    def threads_of(self, row):
        return self.options.threads[:1] if row in ("size", "compile") else self.options.threads

    def engine(self, name, row):
        options = self.options
        if row == "start" and name == "ours":
            return Start(options.program, options.weights, options.recording, options.sensors) if options.program else None
        if row == "size" and name == "ours":
            return Size(options.program, stripped=True) if options.program else None
        if row == "size":
            packages = {"eager": "torch", "onnxruntime": "onnxruntime"}
            return Size(package(options.python, packages[name])) if options.python else None
        if row == "compile":
            examples = {"ours": "compiled_engine.cpp", "imu2music.hpp": "load_and_generate.cpp"}
            return Compilation((ROOT / "examples/embed" / examples[name]).read_text() if name in examples else
                               "#include <nlohmann/json.hpp>\nint main() {}\n")
        if name in PEERS:
            return Engine([options.ours, "--serve"])
        return Engine([options.python, str(HERE / "server.py")]) if options.python else None

    def measure(self, row, names, threads):
        missing = [n for n in names if (row, n, threads) not in self.cells]
        if not missing:
            return
        engines = {name: self.engine(name, row) for name in missing}
        found = {name: {"row": row, "engine": name, "threads": threads, "times": []} for name in missing}
        for _ in range(self.options.rounds):
            for name, engine in engines.items():
                if "not_run" in found[name]:
                    continue
                if engine is None:
                    found[name]["not_run"] = "not asked for"
                    continue
                answer = engine.ask(row=row, peer=name, threads=threads, seconds=self.options.seconds)
                if "not_run" in answer:
                    found[name]["not_run"] = answer["not_run"]
                else:
                    found[name]["times"] += answer["times"]
        for name, engine in engines.items():
            if isinstance(engine, Engine):
                found[name]["peak"] = engine.peak_bytes()
                engine.close()
            self.cells[row, name, threads] = found[name]
            with open(self.log, "a") as log:
                log.write(json.dumps(found[name]) + "\n")

    def run(self):
        describing = Engine([self.options.ours, "--serve"])
        machine, ceilings = describing.ask(describe=True)["machine"], {}
        versions = {}
        if self.options.python:
            peer = Engine([self.options.python, str(HERE / "server.py")])
            versions = peer.ask(describe=True).get("versions", {})
            peer.close()
        work = {}
        for title, rows, names in GROUPS:
            if any(map(self.wanted, rows)):
                ceilings[title] = self.ceilings(title, describing)
            for row in filter(self.wanted, rows):
                work[row] = describing.ask(row=row, describe_row=True)
                for threads in self.threads_of(row):
                    began = time.time()
                    self.measure(row, names, threads)
                    print(f"{row}, {threads} threads: {time.time() - began:.0f} s", file=sys.stderr, flush=True)
        describing.close()
        self.write(machine, ceilings, versions, work)
        self.log.unlink()

    def ceilings(self, title, describing):
        """What the machine does at best, measured before a group of rows."""
        cell = self.cells.get(("ceilings", title, 0))
        if cell is None:
            cell = {"row": "ceilings", "engine": title, "threads": 0, **describing.ask(describe=True)["ceilings"]}
            self.cells["ceilings", title, 0] = cell
            with open(self.log, "a") as log:
                log.write(json.dumps(cell) + "\n")
        return cell

    def write(self, machine, ceilings, versions, work):
        lines = ["# The engine beside PyTorch and ONNX Runtime", "",
                 f"{machine}.", "Peers: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".", ""]
        for threads in map(str, self.options.threads):
            of_all = list(ceilings.values())
            sets = {size: [c["read_gb_s"][threads][size] for c in of_all] for size in of_all[0]["read_gb_s"][threads]}
            lines.append(f"Ceilings with {threads} thread{'s' if threads != '1' else ''}, measured before each group of "
                         f"rows: multiply-adds {span([c['fma_gflop_s'][threads] for c in of_all])} GF/s; reading "
                         + ", ".join(f"{size} {span(rates)} GB/s" for size, rates in sets.items()) + ".")
        lines += ["", f"Medians of {self.options.rounds} visits of {self.options.seconds} s or longer, all engines of "
                  "a row in turn, whose threads wait as they do by default; ± half the distance of the quartiles. In "
                  "brackets how many times as long (or as large) as ours. "
                  "The ceiling is the multiply-adds' or, where one row of weights is read once, reading's, as it "
                  "was before the row's group."]
        for title, rows, names in GROUPS:
            rows = [row for row in rows if self.wanted(row)]
            if not rows:
                continue
            lines += ["", f"## {title}", "", "| work | threads | " + " | ".join(names) + " | of the ceiling |",
                      "|---|---|" + "---|" * (len(names) + 1)]
            reasons = {}
            for row in rows:
                for threads in self.threads_of(row):
                    lines.append(self.line(row, names, threads, ceilings[title], work.get(row, {}), reasons))
            for (name, reason), where in reasons.items():
                lines += ["", f"{name}, not run ({', '.join(where)}): {reason}."]
            if told := [row for row in rows if row in PEAKS]:
                lines += ["", self.memory(told, names)]
        text = "\n".join(lines) + "\n"
        temporary = self.options.output + ".part"
        pathlib.Path(temporary).write_text(text)
        os.replace(temporary, self.options.output)

    def line(self, row, names, threads, ceilings, work, reasons):
        ours = self.cells.get((row, "ours", threads), {})
        base = statistics.median(ours["times"]) if ours.get("times") else None
        cells = []
        for name in names:
            cell = self.cells.get((row, name, threads), {})
            if not cell.get("times"):
                cells.append("not run")
                where = reasons.setdefault((name, cell.get("not_run", "not asked for")), [])
                if row not in where:
                    where.append(row)
                continue
            low, middle, high = quartiles(cell["times"])
            text = megabytes(middle) if row == "size" else f"{number(middle)} ±{50 * (high - low) / middle:.0f} %"
            cells.append(text if name == "ours" or base is None else f"{text} ({middle / base:.2f})")
        share = ""
        if base and work.get("bytes"):
            share = f"{100 * work['bytes'] / base / read_ceiling(ceilings, threads, work['bytes']):.0f} % of reading"
        elif base and work.get("flops"):
            share = f"{100 * work['flops'] / base / ceilings['fma_gflop_s'][str(threads)] / 1e9:.0f} %"
        return f"| {row} | {threads} | " + " | ".join(cells) + f" | {share} |"

    def memory(self, rows, names):
        parts = []
        for row in rows:
            for name in names:
                peaks = [self.cells[row, name, t]["peak"] for t in self.options.threads
                         if self.cells.get((row, name, t), {}).get("times")]
                if peaks:
                    parts.append(f"{row} {name} {max(peaks) / 2**20:.0f} MiB")
        return "Peak memory of the process: " + "; ".join(parts) + "."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--python", default="")
    parser.add_argument("--output", required=True)
    parser.add_argument("--rows", nargs="+", default=["*"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--program", default="")
    parser.add_argument("--weights", default="")
    parser.add_argument("--recording", default="")
    parser.add_argument("--sensors", default="")
    parser.add_argument("--resume", action="store_true")
    Comparison(parser.parse_args()).run()


if __name__ == "__main__":
    main()
