"""The three array libraries: how each says what the generated Python needs, numerically stable forms among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

from lstm_sym.targets import texts

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

    def say(self, text: str, **more: str) -> str:
        """``text`` with the words of this library for $xp, $cat, $axis, …, and those in ``more``."""
        return Template(text).substitute(self.words, xp=self.xp, **more)

    def like(self, array: str) -> str:
        """Arguments that make a new array one of the kind of another."""
        return f"dtype={array}.dtype" + f", device={array}.device" * (self.xp == "torch")

    def functions(self, used: set[str]) -> list[str]:
        """The definitions of the functions that are used, and of those that these call."""
        needed = used | {name for user in used for name in _NEEDS.get(user, ())}
        found = []
        for name in [name for name in _DOCS if name in needed]:
            body = self.say(self.forms[name]).replace("\n", "\n    ")
            arguments = "a, b" if name == "maximum" else "a"
            found.append(f'def {name}({arguments}):\n    """{_DOCS[name]}"""\n    {body}\n')
        return found

    def helpers(self, code: str) -> list[str]:
        """Those of splitting, joining and summing that ``code`` calls."""
        found = [text.strip("\n") + "\n" for text in self.say(texts.HELPERS).split("\n\n\n")]
        return [text for text in found if text[len("def ") : text.index("(") + 1] in code]


NUMPY = Library(
    title="NumPy",
    imports="import numpy as np",
    xp="np",
    words={
        "cat": "np.concatenate",
        "axis": "axis",
        "arrays": "arrays",
        "keep": "keepdims",
        "cast": "",
    },
    forms={**_COMMON, **_NUMPY},
    unroll=texts.UNROLL,
    back=texts.BACK,
    notes=("Self-contained: it needs nothing but NumPy.",),
)
JAX = Library(
    title="JAX",
    imports="import jax\nimport jax.numpy as jnp",
    xp="jnp",
    words={
        "cat": "jnp.concatenate",
        "axis": "axis",
        "arrays": "arrays",
        "keep": "keepdims",
        "cast": "    initial = initial.astype(jnp.result_type(inputs, initial, *p.values()))\n",
    },
    forms={**_COMMON, **_JAX},
    unroll=texts.UNROLL_JAX,
    back=texts.BACK_JAX,
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
        "arrays": "tensors",
        "keep": "keepdim",
        "cast": "",
    },
    forms={**_COMMON, **_TORCH},
    unroll=texts.UNROLL,
    back=texts.BACK,
    notes=(
        "Parameters and arrays are tensors of one dtype on one device. Nothing is done in place: autograd works",
        "through every function. The derivatives here do without it: call them under torch.no_grad().",
    ),
)
LIBRARIES: Mapping[str, Library] = {"numpy": NUMPY, "jax": JAX, "torch": TORCH}
