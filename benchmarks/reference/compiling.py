"""torch.compile as it does best on a processor."""

import torch

# Constants folded and packed, products tuned against MKL and oneDNN, and the graph called from C++.
INFERENCE = {"freezing": True, "max_autotune": True, "cpp_wrapper": True}
# The random numbers of dropout from PyTorch's own generator, which is vectorised where the compiler's is not.
TRAINING = {"fallback_random": True}


def compiled(function, training=False):
    """The function for the shapes that it will be called with. To be called under no_grad unless training."""
    torch._dynamo.reset()
    torch._dynamo.config.allow_rnn = True
    return torch.compile(function, fullgraph=True, dynamic=False, options=TRAINING if training else INFERENCE)
