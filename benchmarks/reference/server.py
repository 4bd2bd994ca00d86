"""The peers as a process: a JSON object a line on standard input, an answer a line on standard output.

{"describe": true}                                            -> {"versions": {...}}
{"row": NAME, "peer": PEER, "threads": N, "seconds": S}       -> {"times": [seconds a unit, ...]}, one a repetition,
                                                                 or {"not_run": reason}

Peers: recompute, eager, compile, onnxruntime; skew, sdpa, flex for attention. Getting ready and warming up are not
timed. A repetition lasts half a millisecond or more.
"""

import collections
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
        if time.perf_counter() - begun >= seconds and len(times) >= least:
            return times


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
                work, units = rows.prepare(*key)
                work()
                work()
                self.prepared[key] = work, units
            self.prepared.move_to_end(key)
            work, units = self.prepared[key]
            return {"times": [t / units for t in repetitions(work, float(request["seconds"]))]}
        except rows.NotRun as reason:
            return {"not_run": str(reason)}


def versions():
    import numpy
    import onnx
    import onnxruntime
    import torch

    return {"python": sys.version.split()[0], "torch": torch.__version__, "onnxruntime": onnxruntime.__version__,
            "onnx": onnx.__version__, "numpy": numpy.__version__}


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
