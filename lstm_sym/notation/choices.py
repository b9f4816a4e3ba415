"""``Notation``: how a paper writes its equations."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from lstm_sym.checks import unknown_name

#: What each choice may be; the first is the default.
OPTIONS: dict[str, tuple[Any, ...]] = {
    "weights": ("source-target", "W-U", "concatenated"),
    "time": (True, False),
    "product": ("odot", "circ"),
    "diagonal": ("diag", "D"),
    "vectors": ("column", "row"),
    "bold": (False, True),
    "gates": ("letters", "Gamma"),
}


@dataclass(frozen=True)
class Notation:
    r"""How LaTeX is written: the choices in which papers differ.

    >>> import lstm_sym as ls
    >>> goodfellow = ls.Notation(weights="W-U", product="circ", bold=True)
    >>> print(ls.latex(ls.jacobian(ls.LSTM, "f", "h"), notation=goodfellow))
    \operatorname{diag}(\mathbf{f}_t \circ (1 - \mathbf{f}_t))\, \mathbf{U}_f

    Args:
        weights: "source-target", W_{xf} and W_{hf}; "W-U", W_f for inputs, U_f for what was the state before the
            step, V for the rest (output layers, projections); "concatenated", W_f [h_{t-1}, x_t] in the forward
            pass, and in derivatives its blocks, target first: W_{fh}, W_{fx}.
        time: True writes h_{t-1} and h_t; False h and h', other vectors without index (those of an earlier step
            keep theirs, and formulas over a horizon keep all).
        product: the elementwise product, "odot" (⊙) or "circ" (∘).
        diagonal: the diagonal matrix of v: "diag" or "D", D(v).
        vectors: "column", W x + U h and J[a, b] = ∂out_a/∂in_b; "row", x W + h U, every weight the transpose of
            the column one, and Jacobians in row layout, J[a, b] = ∂out_b/∂in_a: the factors of each product
            are reversed, block tables are transposed, and what is printed is right as it stands.
        bold: vectors and matrices in bold type; numbers stay as they are.
        gates: "letters", f_t; "Gamma", every quantity that is a bare sigmoid is \Gamma_f.

    Raises:
        UnknownNameError: a value that is not one of those; the message lists them.
    """

    weights: str = "source-target"
    time: bool = True
    product: str = "odot"
    diagonal: str = "diag"
    vectors: str = "column"
    bold: bool = False
    gates: str = "letters"

    def __post_init__(self) -> None:
        for field in fields(self):
            value, known = getattr(self, field.name), OPTIONS[field.name]
            if not any(value is option or (isinstance(value, str) and value == option) for option in known):
                raise unknown_name(f"{field.name} of a Notation", value, map(str, known))

    @property
    def row(self) -> bool:
        """Whether vectors are rows, and Jacobians in row layout."""
        return self.vectors == "row"


#: The notation of this package: W_{hf}, h_{t-1}, ⊙, diag, columns.
STANDARD = Notation()


def a_notation(value: object) -> Notation:
    """``value`` if it is a Notation, else TypeError."""
    if not isinstance(value, Notation):
        raise TypeError(f"notation = {value!r:.60}: expected a lstm_sym.Notation, for example Notation(bold=True).")
    return value
