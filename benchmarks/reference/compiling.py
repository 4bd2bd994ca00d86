"""torch.compile as it does best on a processor."""

import torch

# Constants folded and packed, products tuned against MKL and oneDNN, and the graph called from C++.
INFERENCE = {"freezing": True, "max_autotune": True, "cpp_wrapper": True}


def compiled(function, dynamic=False, training=False):
    """To be called under no_grad unless training; the second call compiles again where dynamic is None."""
    torch._dynamo.reset()
    torch._dynamo.config.allow_rnn = True
    return torch.compile(function, fullgraph=True, dynamic=dynamic, options=None if training else INFERENCE)
