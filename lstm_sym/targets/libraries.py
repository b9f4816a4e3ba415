"""The three array libraries: how each says what the generated Python needs, numerically stable forms among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

_DOCS = {
    "sigmoid": "σ(a) = 1/(1 + e^−a).",
    "dsigmoid": "σ′(a) = σ(a)·σ(−a): accurate where 1 − σ(a) would be 0.",
    "dtanh": "tanh′(a) = 1/cosh²(a), with e^−|a|: nothing overflows, nothing cancels.",
    "relu": "max(a, 0).",
    "drelu": "[a > 0].",
    "positive": "[a > 0] as 0 or 1.",
    "maximum": "The larger of two; at a tie the second.",
    "logsigmoid": "log σ(a) = −log(1 + e^−a).",
    "dlogsigmoid": "(log σ)′(a) = σ(−a).",
}

_DTANH = "e = $xp.exp(-$xp.abs(a))\nreturn (2 * e / (1 + e * e)) ** 2"
_MAXIMUM = "return $xp.where(a > b, a, b)"

#: The bodies of the functions, by name; what a body calls comes before it.
_COMMON = {"dsigmoid": "return sigmoid(a) * sigmoid(-a)", "dtanh": _DTANH, "maximum": _MAXIMUM}
_COMMON |= {"dlogsigmoid": "return sigmoid(-a)"}
_NUMPY = {
    "sigmoid": "e = np.exp(-np.abs(a))\nreturn np.where(a < 0, e, 1.0) / (1.0 + e)",
    "relu": "return np.maximum(a, 0.0)",
    "drelu": "return (a > 0).astype(a.dtype)",
    "positive": "return (a > 0).astype(a.dtype)",
    "logsigmoid": "return np.minimum(a, 0.0) - np.log1p(np.exp(-np.abs(a)))",
}
_JAX = {
    "sigmoid": "return jax.nn.sigmoid(a)",
    "relu": "return jax.nn.relu(a)",
    "drelu": "return (a > 0).astype(a.dtype)",
    "positive": "return (a > 0).astype(a.dtype)",
    "logsigmoid": "return jax.nn.log_sigmoid(a)",
}
_TORCH = {
    "sigmoid": "return torch.sigmoid(a)",
    "relu": "return torch.relu(a)",
    "drelu": "return (a > 0).to(a.dtype)",
    "positive": "return (a > 0).to(a.dtype)",
    "logsigmoid": "return torch.nn.functional.logsigmoid(a)",
}

#: What a function calls.
_NEEDS = {"dsigmoid": ("sigmoid",), "dlogsigmoid": ("sigmoid",)}

_HELPERS = '''\
def _split(stacked, *sizes):
    """The parts of a stacked array, by their sizes along the last axis."""
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [stacked[..., end - size : end] for size, end in zip(sizes, ends)]


def _join(lead, *parts):
    """Vectors side by side, each with the leading axes lead."""
    return $cat([$xp.broadcast_to(part, (*lead, part.shape[-1])) for part in parts], $axis=-1)


def _blocks(lead, *rows):
    """A matrix of blocks, each with the leading axes lead."""
    wide = [[$xp.broadcast_to(block, (*lead, *block.shape[-2:])) for block in row] for row in rows]
    return $cat([$cat(row, $axis=-1) for row in wide], $axis=-2)


def _add(total, name, part):
    """Add to what there is under a name, or begin with it."""
    total[name] = total[name] + part if name in total else part


def _outer(delta, vector):
    """Σ delta vectorᵀ over all leading axes."""
    wide = $xp.broadcast_to(vector, (*delta.shape[:-1], vector.shape[-1]))
    return delta.reshape(-1, delta.shape[-1]).T @ wide.reshape(-1, vector.shape[-1])


def _sum(delta):
    """Σ delta over all leading axes."""
    return delta.reshape(-1, delta.shape[-1]).sum($axis=0)


def _repeated(array, first, lead):
    """An array (*first axes, ..., n) with the leading axes lead behind the first ones."""
    missing = first + len(lead) + 1 - array.ndim
    wide = array.reshape((*array.shape[:first], *(1,) * missing, *array.shape[first:]))
    return $xp.broadcast_to(wide, (*array.shape[:first], *lead, array.shape[-1]))


def _unrepeated(array, first, shape):
    """Its adjoint: the sum over the axes along which an array of that shape was repeated."""
    wide = (*shape[:first], *(1,) * (array.ndim - len(shape)), *shape[first:])
    axes = tuple(k for k, n in enumerate(wide) if n != array.shape[k])
    return (array.sum($axis=axes, $keep=True) if axes else array).reshape(shape)
'''

_UNROLL = """\
    states = []
    for x in inputs:
        state = step(parameters, x, state)
        states.append(state)
    return $xp.stack(states)
"""
_UNROLL_JAX = """\

    def one(state, x):
        state = step(parameters, x, state)
        return state, state

    return jax.lax.scan(one, state, inputs)[1]
"""
_BACK = """\
    steps = []
    for t in reversed(range(len(delta[STATES[0]]))):
        now = {name: array[t] for name, array in delta.items()}
        if steps:
            for state in STATES:
                now[state] = now[state] + steps[-1][state + "_prev"]
        steps.append(_pull(p, [d[t] for d in coefficients], now))
    return {name: $xp.stack([now[name] for now in reversed(steps)]) for name in steps[0]}
"""
_BACK_JAX = """\
    def one(later, now):
        coefficients, delta = now
        delta = {**delta, **{state: delta[state] + later[state] for state in STATES}}
        delta = _pull(p, coefficients, delta)
        return {state: delta[state + "_prev"] for state in STATES}, delta

    last = {state: jnp.zeros_like(delta[state][0]) for state in STATES}
    return jax.lax.scan(one, last, (coefficients, delta), reverse=True)[1]
"""


@dataclass(frozen=True)
class Library:
    """One array library: what it is called, how it is imported, and where its words differ."""

    title: str
    imports: str
    xp: str
    words: Mapping[str, str]
    forms: Mapping[str, str]
    unroll: str
    back: str
    notes: tuple[str, ...] = field(default=())

    def say(self, text: str) -> str:
        """``text`` with the words of this library for $xp, $cat, $axis, …."""
        return Template(text).substitute(self.words, xp=self.xp)

    def functions(self, used: set[str]) -> str:
        """The definitions of the functions that are used, and of those that these call."""
        needed = used | {name for user in used for name in _NEEDS.get(user, ())}
        texts = []
        for name in [name for name in _DOCS if name in needed]:
            body = self.say(self.forms[name]).replace("\n", "\n    ")
            arguments = "a, b" if name == "maximum" else "a"
            texts.append(f'def {name}({arguments}):\n    """{_DOCS[name]}"""\n    {body}\n')
        return "\n\n".join(texts)

    @property
    def helpers(self) -> str:
        """What every module has: splitting, joining, summing."""
        return self.say(_HELPERS)


NUMPY = Library(
    title="NumPy",
    imports="import numpy as np",
    xp="np",
    words={"cat": "np.concatenate", "axis": "axis", "keep": "keepdims", "like": "dtype=state.dtype"},
    forms={**_COMMON, **_NUMPY},
    unroll=_UNROLL,
    back=_BACK,
    notes=("Self-contained: it needs nothing but NumPy.",),
)
JAX = Library(
    title="JAX",
    imports="import jax\nimport jax.numpy as jnp",
    xp="jnp",
    words={"cat": "jnp.concatenate", "axis": "axis", "keep": "keepdims", "like": "dtype=state.dtype"},
    forms={**_COMMON, **_JAX},
    unroll=_UNROLL_JAX,
    back=_BACK_JAX,
    notes=(
        "Every function may be jitted, mapped and differentiated. JAX computes in single precision unless whoever",
        'imports this says jax.config.update("jax_enable_x64", True) first.',
    ),
)
TORCH = Library(
    title="PyTorch",
    imports="import torch",
    xp="torch",
    words={
        "cat": "torch.cat",
        "axis": "dim",
        "keep": "keepdim",
        "like": "dtype=state.dtype, device=state.device",
    },
    forms={**_COMMON, **_TORCH},
    unroll=_UNROLL,
    back=_BACK,
    notes=(
        "Parameters and arrays are tensors of one dtype on one device. Nothing is done in place: autograd works",
        "through every function. The derivatives here do without it: call them under torch.no_grad().",
    ),
)
LIBRARIES: Mapping[str, Library] = {"numpy": NUMPY, "jax": JAX, "torch": TORCH}
