"""Writes fixtures/batch_norm.json: batch normalisation with a ReLU, and its gradients, by PyTorch in double precision.

Run it with a Python that has torch; the fixture is committed, so that the tests need none.
"""

import json
from pathlib import Path

import torch

torch.manual_seed(7)
SHAPE = (2, 3, 3, 5)


def rounded(tensor):
    """The nearest values in single precision, which the test reads as they are."""
    return tensor.to(torch.float32).to(torch.float64)


spread, middle = torch.tensor([[0.5, 2.0, 1.0], [3.0, -1.0, 0.0]]).view(2, 1, 3, 1, 1)
x = rounded(torch.randn(SHAPE) * spread + middle)
scale, shift, pull = (rounded(values) for values in
                      (torch.tensor([1.5, 0.7, -0.4]), torch.tensor([0.2, -0.3, 0.1]), torch.randn(SHAPE)))
for tensor in (x, scale, shift):
    tensor.requires_grad_()
output = torch.relu(torch.nn.functional.batch_norm(x, None, None, scale, shift, training=True, eps=1e-5))
(output * pull).sum().backward()
numbers = {
    "input": x,
    "scale": scale,
    "shift": shift,
    "pull": pull,
    "output": output,
    "mean": x.mean((0, 2, 3)),
    "variance": x.var((0, 2, 3), unbiased=False),
    "input_gradient": x.grad,
    "scale_gradient": scale.grad,
    "shift_gradient": shift.grad,
}
fixture = {"shape": list(SHAPE)} | {name: [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]
                                    for name, tensor in numbers.items()}
path = Path(__file__).with_name("fixtures") / "batch_norm.json"
lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in fixture.items())
path.write_text(f"{{\n{lines}\n}}\n")
