"""ONNX Runtime: a module exported, optimised and run over buffers that it reads and writes in place."""

import logging
import tempfile
import warnings

import numpy as np
import torch

TYPES = {torch.float32: np.float32, torch.int64: np.int64, torch.int32: np.int32}


def export(module, inputs, names, outputs, dynamic, path):
    warnings.simplefilter("ignore")
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with torch.no_grad():
        program = torch.onnx.export(module.eval(), inputs, dynamo=True, input_names=names, output_names=outputs,
                                    dynamic_shapes=dynamic, verbose=False)
    program.save(path, external_data=False)


class Session:
    """inputs: tensors and lists of tensors, by the order of forward's arguments, which are read where they lie;
    dynamic: as torch.export takes it. results: {output name: tensor to write to}."""

    def __init__(self, module, inputs, threads, names=None, outputs=None, results=None, dynamic=None):
        import onnxruntime

        names = names or [f"input{i}" for i in range(len(inputs))]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            export(module, inputs, names, outputs, dynamic, file.name)
            self.session = onnxruntime.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.kept = []
        flat = [tensor for entry in inputs for tensor in (entry if isinstance(entry, list) else [entry])]
        for name, tensor in zip(names, flat, strict=True):
            self.bind(name, tensor)
        for output in self.session.get_outputs():
            if results and output.name in results:
                self.bind(output.name, results[output.name], output=True)
            else:
                self.binding.bind_output(output.name, "cpu")

    def bind(self, name, tensor, output=False):
        self.kept.append(tensor)
        self.bind_at(name, tensor.data_ptr(), list(tensor.shape), TYPES[tensor.dtype], output)

    def bind_at(self, name, address, shape, type, output=False):
        place = self.binding.bind_output if output else self.binding.bind_input
        place(name, "cpu", 0, type, shape, address)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return [torch.from_numpy(value) for value in self.binding.copy_outputs_to_cpu()]
