"""A layer in other engines for the CPU, where they are installed: `pip install MNN onnx openvino`.

OpenVINO has no sparse convolution in float32; it is the dense peer. MNN finds the zeros of a
convolution and runs it sparse; it reads ONNX files, which PyTorch writes with the package onnx.
"""
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Set

import torch
from torch import nn

MNN, OPENVINO = 'MNN sparse', 'OpenVINO dense'
_told: Set[str] = set()


def peers(layer: nn.Module, x: torch.Tensor, threads: int) -> Dict[str, Callable]:
    """Calls of the layer on ``x``, by engine. One that cannot is left out, and a line says why.

    Args:
        layer: In eval mode, with zeros in its weight.
        x: Its input.
        threads: Of each engine.
    """
    calls = {}
    for name, make in ((MNN, _mnn), (OPENVINO, _openvino)):
        try:
            calls[name] = make(layer, x, threads)
            calls[name]()
        except Exception as error:      # whatever another engine meets
            calls.pop(name, None)
            reason = f'{name} is left out ({type(error).__name__}: {str(error)[:100]})'
            if reason not in _told:
                print(reason, file=sys.stderr)
            _told.add(reason)
    return calls


def _mnn(layer: nn.Module, x: torch.Tensor, threads: int) -> Callable:
    # Not MNN.tools.mnnconvert: that installs a package and reports to its makers.
    from MNN import expr
    from MNN import nn as mnn
    import _tools
    import onnx  # noqa: F401 (PyTorch's export needs it)
    with tempfile.TemporaryDirectory() as folder:
        file, converted = (str(Path(folder, name)) for name in ('layer.onnx', 'layer.mnn'))
        torch.onnx.export(layer, (x,), file, input_names=['x'], output_names=['y'], dynamo=False)
        _tools.mnnconvert(['mnnconvert', '-f', 'ONNX', '--modelFile', file, '--MNNModel',
                           converted, '--bizCode', 'mmlth', '--detectSparseSpeedUp'])
        manager = mnn.create_runtime_manager(
            (dict(backend='CPU', precision='high', numThread=threads),))
        module = mnn.load_module_from_file(converted, ['x'], ['y'], runtime_manager=manager)
    given = expr.const(x.numpy(), list(x.shape), expr.NCHW)
    return lambda: module.forward(given).read()


def _openvino(layer: nn.Module, x: torch.Tensor, threads: int) -> Callable:
    import openvino
    model = openvino.convert_model(layer, example_input=x)
    compiled = openvino.Core().compile_model(model, 'CPU', dict(
        INFERENCE_NUM_THREADS=threads, INFERENCE_PRECISION_HINT='f32',
        PERFORMANCE_HINT='LATENCY'))
    request, given = compiled.create_infer_request(), x.numpy()
    return lambda: request.infer([given], share_inputs=True, share_outputs=True)
