"""Names and texts that are safe in the target: no reserved words, nothing that ends a comment."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

_MODULE = """
    np jnp jax torch p v x state lead parameters coefficients delta dot step evaluate jacobian jvp vjp unroll
    gradient found seeds inputs initial tangent cotangent exp log sqrt sin cos
"""
#: Names that generated Python has a use for.
PYTHON = frozenset((*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *_MODULE.split()))

_C = """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    _Bool _Complex _Imaginary asm typeof bool complex imaginary true false I
    alignas alignof constexpr nullptr static_assert thread_local typeof_unqual
    class new delete this template typename namespace operator private public protected virtual friend using try
    catch throw explicit export mutable and or not xor compl
    NULL NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL FP_NAN FP_INFINITE FP_ZERO FP_SUBNORMAL FP_NORMAL FP_ILOGB0
    FP_ILOGBNAN MATH_ERRNO MATH_ERREXCEPT math_errhandling errno assert offsetof linux unix i386 main
"""
#: Words that a field of a C structure cannot be called: keywords of C and C++, macros of the standard headers.
C = frozenset(_C.split())


def renamed(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Every name as it is, or, where that is taken, with as many _ behind it as it takes; no two alike."""
    names, occupied = list(dict.fromkeys(names)), set(taken)
    found = {name: name for name in names if name not in occupied}
    occupied.update(found)
    for name in names:
        if name not in found:
            other = name + "_"
            while other in occupied:
                other += "_"
            found[name] = other
            occupied.add(other)
    return {name: found[name] for name in names}


def prefix(name: str) -> str:
    """What the functions of a cell are called after in C: lstm, rnn_relu, peephole_lstm."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"cell_{plain}".rstrip("_")


def printable(text: str) -> str:
    """``text`` with everything that is no visible character, line ends left out, as a blank."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def in_docstring(text: str) -> str:
    """``text`` so that it stands in triple double quotes."""
    return printable(text).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def in_comment(text: str) -> str:
    """``text`` so that it stands in a C comment: nothing in it begins or ends one, or joins lines."""
    text = printable(text).replace("\\", "/").replace("??", "? ?")
    return text.replace("*/", "* /").replace("/*", "/ *")
