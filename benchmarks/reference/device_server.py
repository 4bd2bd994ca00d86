"""server.py for an NVIDIA GPU: the rows of device_rows.py, a call of the work ending when the device has done it.

{"describe": true}                                -> {"versions": {...}, "device": NAME, "ceilings": {...}}
{"row": NAME, "peer": PEER, "seconds": S}         -> {"times": [...], "peak": bytes} or {"not_run": reason}

Peers: eager, compile; flex, skew, sdpa (compiled) for attention; each also with "-bf16".
"""

import json
import os
import sys
import warnings

import server


class Server:
    def __init__(self):
        self.key = self.prepared = None

    def answer(self, request):
        import torch

        import device_rows

        if not torch.cuda.is_available():
            raise device_rows.NotRun("PyTorch sees no NVIDIA GPU")
        torch.set_default_device("cuda")
        torch.backends.cuda.matmul.allow_tf32 = False
        if request.get("describe"):
            return {"versions": {"torch": torch.__version__, "cuda": torch.version.cuda},
                    "device": torch.cuda.get_device_name(), "ceilings": device_rows.ceilings()}
        key = request["row"], request["peer"]
        if key != self.key:
            self.key = self.prepared = None
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.prepared = device_rows.prepare(*key)
            self.key = key
            self.run(server.warm_up)
        times = self.run(lambda work: server.repetitions(work, float(request["seconds"])))
        return {"times": [t / self.prepared[1] for t in times], "peak": torch.cuda.max_memory_allocated()}

    def run(self, how):
        import torch

        work = self.prepared[0]

        def to_its_end():
            work()
            torch.cuda.synchronize()

        with torch.inference_mode(getattr(work, "inference", False)):
            return how(to_its_end)


def main():
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    asked = Server()
    for line in sys.stdin:
        try:
            answer = asked.answer(json.loads(line))
        except Exception as error:
            asked.key = asked.prepared = None
            answer = {"not_run": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
