"""ONNX Runtime: predictions of the same network as a chain of `Gemm` and `Relu`, weights `[outputs, inputs]`."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import timing

settings = timing.arguments("infer")
x, _ = timing.batches(settings)


def model():
    nodes, weights, last = [], [], "x"
    for layer, (w, b) in enumerate(timing.start(settings.layers)):
        names = [f"w{layer}", f"b{layer}"]
        weights += [numpy_helper.from_array(values, name) for values, name in zip([w.T.copy(), b], names)]
        nodes.append(helper.make_node("Gemm", [last, *names], [f"z{layer}"], transB=1))
        nodes.append(helper.make_node("Relu", [f"z{layer}"], [f"y{layer}"]))
        last = f"y{layer}"
    logits = nodes[-2].output[0]
    shaped = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
    ends = [shaped("x", settings.layers[0])], [shaped(logits, settings.layers[-1])]
    graph = helper.make_graph(nodes[:-1], "mlp", *ends, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = settings.threads
session = onnxruntime.InferenceSession(model().SerializeToString(), options, ["CPUExecutionProvider"])
timing.measure(settings, lambda index: session.run(None, {"x": x[index]})[0], loss_of=timing.uniform_loss)
