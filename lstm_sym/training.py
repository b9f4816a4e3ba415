"""Training with the kernels' own gradients: parameters as one vector, squared errors, clipping, Adam; a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lstm_sym.checks import finite, fits, integer, real_scalar
from lstm_sym.kernels import Kernel

Array = NDArray[np.float64]
Loss = Callable[[Mapping[str, Array]], tuple[float, Mapping[str, Any]]]
Objective = Callable[[Array], tuple[float, Array]]


def flat(arrays: Mapping[str, Array]) -> Array:
    """All arrays in one vector, in the order of the mapping.

    >>> flat({"W": np.ones((1, 2)), "b": np.zeros(1)})
    array([1., 1., 0.])
    """
    return np.concatenate([array.ravel() for array in arrays.values()])


def shaped(vector: Array, like: Mapping[str, Array]) -> dict[str, Array]:
    """The inverse of ``flat``: ``vector`` cut into arrays with the names and shapes of ``like``.

    >>> shaped(np.array([1.0, 1.0, 0.0]), {"W": np.ones((1, 2)), "b": np.zeros(1)})
    {'W': array([[1., 1.]]), 'b': array([0.])}

    Raises ValueError where the lengths differ.
    """
    ends = np.cumsum([array.size for array in like.values()])
    if np.shape(vector) != (ends[-1],):
        raise ValueError(f"a vector of shape {np.shape(vector)}: expected ({ends[-1]},), as flat makes it.")
    parts = np.split(vector, ends[:-1])
    return {name: part.reshape(array.shape) for (name, array), part in zip(like.items(), parts, strict=True)}


def squared_error(targets: ArrayLike, weights: ArrayLike) -> Loss:
    """The loss Σ w (y − target)² of a run's outputs y, (T, ..., outputs), as ``kernel.gradient`` takes it.

    targets, weights: broadcast against y; a weight of 0 where an output does not count.

    >>> squared_error([[1.0]], [[0.5]])({"y": np.array([[3.0]])})
    (2.0, {'y': array([[2.]])})
    """
    target, weight = (np.asarray(value, dtype=np.float64) for value in (targets, weights))

    def loss(run: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        miss = run["y"] - target
        return float(np.sum(weight * miss**2)), {"y": 2.0 * weight * miss}

    return loss


def value_and_gradient(
    kernel: Kernel, vector: Array, like: Mapping[str, Array], inputs: ArrayLike, loss: Loss
) -> tuple[float, Array]:
    """The loss at the parameters ``shaped(vector, like)``, and its gradient as a vector, by BPTT.

    inputs: (T, ..., m), as in ``kernel.gradient``; a batch along the axes between.

    >>> import lstm_sym as ls
    >>> kernel = ls.Kernel(ls.RNN)
    >>> start = kernel.parameters(hidden=3, inputs=1, rng=0, outputs=1)
    >>> _, slope = value_and_gradient(kernel, flat(start), start, [[1.0]], squared_error(1.0, 1.0))
    >>> slope.shape == flat(start).shape
    True
    """
    found = kernel.gradient(shaped(vector, like), inputs, loss)
    assert found.value is not None
    return found.value, flat({name: found.parameters[name] for name in like})


def clipped(gradient: Array, most: float) -> Array:
    """``gradient``, shortened to the Euclidean norm ``most`` if it is longer (Pascanu et al., arXiv 1211.5063).

    >>> clipped(np.array([3.0, 4.0]), 1.0)
    array([0.6, 0.8])
    """
    norm = float(np.linalg.norm(gradient))
    return gradient * (most / norm) if norm > most else gradient


@dataclass(frozen=True)
class Adam:
    """The method of Kingma & Ba (arXiv 1412.6980, algorithm 1): its constants, and the moments it has gathered.

    rate: the step size α, about the most by which one parameter moves in one update.
    mean_decay, square_decay: β₁ and β₂, what is kept of the moments at each update.
    """

    rate: float
    mean_decay: float = 0.9
    square_decay: float = 0.999
    small: float = 1e-8
    updates: int = 0
    mean: Array | float = 0.0
    square: Array | float = 0.0

    def update(self, vector: Array, gradient: Array) -> tuple[Array, Adam]:
        """The next parameters, and the method with its moments brought up to date.

        >>> Adam(rate=0.1).update(np.zeros(2), np.array([5.0, -0.01]))[0].round(6)    # the first step: the signs
        array([-0.1,  0.1])
        """
        t = self.updates + 1
        m = self.mean_decay * self.mean + (1 - self.mean_decay) * gradient
        v = self.square_decay * self.square + (1 - self.square_decay) * gradient**2
        unbiased_m, unbiased_v = m / (1 - self.mean_decay**t), v / (1 - self.square_decay**t)
        step = self.rate * unbiased_m / (np.sqrt(unbiased_v) + self.small)
        constants = (self.rate, self.mean_decay, self.square_decay, self.small)
        return vector - step, Adam(*constants, t, m, v)


def descent(objective: Objective, start: Array, rate: float, clip: float = 1.0) -> Iterator[tuple[float, Array]]:
    """Adam with the gradient clipped to the norm ``clip``: (value, parameters) before every update, without end.

    objective: the value and the gradient at a vector of parameters; one that draws fresh examples at every call
        makes this stochastic, and its values are then errors on examples not seen before.

    >>> from itertools import islice
    >>> path = descent(lambda v: (float(v @ v), 2 * v), np.array([1.0]), rate=0.1)
    >>> [round(value, 2) for value, _ in islice(path, 4)]
    [1.0, 0.81, 0.64, 0.49]

    Raises ValueError for a rate or a clip that is not positive, or a gradient that is not finite.
    """
    for name, number in {"rate": rate, "clip": clip}.items():
        if not real_scalar(name, number) > 0:
            raise ValueError(f"{name} = {number}: expected a positive number.")
    vector, method = np.array(start, dtype=np.float64), Adam(rate)
    while True:
        value, gradient = objective(vector)
        yield value, vector
        vector, method = method.update(vector, clipped(finite("the gradient", gradient), clip))


def adding_problem(rng: np.random.Generator, steps: int, batch: int) -> tuple[Array, Array]:
    """Sequences (steps, batch, 2), numbers and marks, and the sums of the marked numbers, (batch, 1).

    The numbers are from U(0, 1); one of the first half is marked by 1, and one of the second; other marks are 0
    (Hochreiter & Schmidhuber 1997, section 5.4, in the variant of Arjovsky, Shah & Bengio, arXiv 1511.06464).

    >>> inputs, sums = adding_problem(np.random.default_rng(0), steps=6, batch=1)
    >>> inputs[:, 0].round(2).T
    array([[0.64, 0.27, 0.04, 0.02, 0.81, 0.91],
           [0.  , 1.  , 0.  , 0.  , 1.  , 0.  ]])
    >>> sums.round(2)
    array([[1.08]])

    Raises ValueError for fewer than 2 steps or no sequence.
    """
    for name, (number, least) in {"steps": (steps, 2), "batch": (batch, 1)}.items():
        if integer(name, number) < least:
            raise ValueError(f"{name} = {number}: expected at least {least}.")
    fits("the sequences", steps, batch, 2)
    inputs, each = np.zeros((steps, batch, 2)), np.arange(batch)
    inputs[..., 0] = rng.random((steps, batch))
    for first, last in ((0, steps // 2), (steps // 2, steps)):
        inputs[rng.integers(first, last, batch), each, 1] = 1.0
    return inputs, (inputs[..., 0] * inputs[..., 1]).sum(axis=0)[:, None]
