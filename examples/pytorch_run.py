"""Check a PyTorch training run: weights recorded in the loop, exported as .npz, certified and checked by ``assert_theorem``.

    python examples/pytorch_run.py                                # trains (needs PyTorch), writes pytorch_run.npz here, checks it
    python examples/pytorch_run.py --check examples/pytorch_run.npz    # checks a recorded run; PyTorch is not needed

The file examples/pytorch_run.npz was written by the first command with PyTorch 2.13 on a CPU. The tests check it; nothing of
overparam needs PyTorch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from verify import OwnRun, TheoremReport, assert_theorem
from verify.data import load_data
from verify.problem import problem_from_mapping

WIDTH, STEP_SIZE, STEPS = 64, 1.5, 400
CONSECUTIVE = range(100, 104)  # records whose steps are seen, beside every hundredth


def train(path: Path) -> None:
    """Full-batch gradient descent on the mean of (f - t)^2/2, in NTK parametrization, and the records."""
    import torch

    data = load_data(problem_from_mapping({"data": {"source": "wine", "classes": [0, 1], "points": 8}}).data)
    x, t = torch.tensor(data.inputs), torch.tensor(data.targets)  # float64
    torch.manual_seed(0)
    first = torch.randn(WIDTH, x.shape[1], dtype=torch.float64, requires_grad=True)
    second = torch.randn(1, WIDTH, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([first, second], lr=STEP_SIZE)
    steps, records = [], []
    for step in range(STEPS + 1):
        if step % 100 == 0 or step in CONSECUTIVE:
            steps.append(step)
            records.append([w.detach().numpy().copy() for w in (first, second)])  # copies: the loop overwrites its weights
        optimizer.zero_grad()
        f = torch.tanh(x @ first.T / x.shape[1] ** 0.5) @ second.T / WIDTH**0.5
        loss = ((f - t) ** 2).sum(dim=1).mean() / 2
        loss.backward()
        optimizer.step()
    w1, w2 = (np.stack(layer) for layer in zip(*records, strict=True))
    np.savez_compressed(path, W1=w1, W2=w2, steps=steps, step_size=STEP_SIZE, X=data.inputs, y=data.targets)


def check(path: Path) -> TheoremReport:
    """The recorded run as an ``OwnRun``, and Theorem A of it."""
    with np.load(path) as file:
        run = OwnRun(
            weights=[[w1, w2] for w1, w2 in zip(file["W1"], file["W2"], strict=True)],
            inputs=file["X"],
            targets=file["y"],
            step_size=float(file["step_size"]),
            steps=file["steps"].tolist(),
            activation="tanh",
        )
    return assert_theorem(run, "A")


def main(arguments: list[str]) -> int:
    """Train and check, or check a file; an AssertionError says what does not hold."""
    if arguments[:1] == ["--check"] and len(arguments) == 2:
        path = Path(arguments[1])
    else:
        path = Path("pytorch_run.npz")
        train(path)
    sys.stdout.write("\n".join(check(path).lines()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
