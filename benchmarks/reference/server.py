"""The peers as a process: a JSON object a line on standard input, an answer a line on standard output.

{"describe": true}                                            -> {"versions": {...}}
{"row": NAME, "peer": PEER, "threads": N, "seconds": S}       -> {"times": [seconds a unit, ...]}, one a repetition,
                                                                 or {"not_run": reason}

Peers: recompute, eager, compile, onnxruntime; skew, sdpa, flex for attention. Getting ready and warming up are not
timed. A repetition lasts half a millisecond or more; there are three, or one of half a second or longer.
"""

import collections
import importlib.metadata
import json
import os
import sys
import time
import warnings

KEPT = 4  # prepared rows
COMPILED = ("compile", "flex")


def repetitions(work, seconds, least=3):
    begun, calls, times = time.perf_counter(), 1, []
    while True:
        started = time.perf_counter()
        for _ in range(calls):
            work()
        elapsed = time.perf_counter() - started
        if elapsed < 5e-4 and not times:
            calls *= 8 if elapsed < 5e-5 else 2
            continue
        times.append(elapsed / calls)
        if time.perf_counter() - begun >= seconds and (len(times) >= least or elapsed > 0.5):
            return times


def warm_up(work):
    begun = time.perf_counter()
    work()
    if time.perf_counter() - begun < 2:
        work()


class Server:
    def __init__(self):
        self.prepared = collections.OrderedDict()

    def answer(self, request):
        if request.get("describe"):
            return {"versions": versions()}
        import torch

        import rows

        key = request["row"], request["peer"], int(request["threads"])
        torch.set_num_threads(key[2])
        try:
            if key not in self.prepared:
                if key[1] in COMPILED:  # the next row's compilation throws out what was compiled
                    for old in [old for old in self.prepared if old[1] in COMPILED]:
                        del self.prepared[old]
                while len(self.prepared) >= KEPT:
                    self.prepared.popitem(last=False)
                self.prepared[key] = rows.prepare(*key)
                self.run(key, warm_up)
            self.prepared.move_to_end(key)
            times = self.run(key, lambda work: repetitions(work, float(request["seconds"])), settled=True)
            return {"times": [t / self.prepared[key][1] for t in times]}
        except rows.NotRun as reason:
            return {"not_run": str(reason)}
        except Exception:
            self.prepared.pop(key, None)
            raise

    def run(self, key, how, settled=False):
        """settled: nothing is to be compiled any more, so that compiled functions need not look whether it is."""
        import torch

        work, settled = self.prepared[key][0], settled and key[1] in COMPILED
        with (torch.inference_mode(getattr(work, "inference", False)),
              torch.compiler.set_stance(skip_guard_eval_unsafe=settled)):
            return how(work)


def versions():
    """Of what is installed."""
    found = {"python": sys.version.split()[0]}
    for package in ("torch", "onnxruntime", "onnx", "numpy"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def main():
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    server = Server()
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception as error:  # the process outlives a row that fails
            answer = {"not_run": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
