"""Commands that derive: equations, Jacobians, derivations, LaTeX, source, proofs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import lstm_sym
from lstm_sym.calculus import Jacobian
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name

WHAT = {
    "of": "what is differentiated: a gate (f), a state (c: its new value), a pre-activation (a_f), or 'state'",
    "wrt": "with respect to what: a state (c: its value before the step), an input (x), a pre-activation, 'state'",
    "path": "partial: other states held fixed; total: through them as well; direct: through no weight matrix",
}
OUT = "write to FILE (replaced if it exists) instead of the terminal"


def add(commands: Any) -> None:
    """Add these commands to the parser's."""
    commands.add_parser("cells", help="list the shipped cells").set_defaults(run=_cells)
    _shown(_command(commands, "equations", _equations, "print a cell's forward equations"))
    _ends(_command(commands, "jacobian", _jacobian, "print one exact Jacobian in closed form"))
    _ends(_command(commands, "paths", _paths, "print a Jacobian as the labelled sum over its paths"))
    _ends(_command(commands, "derivation", _derivation, "derive a Jacobian step by step"), path=False)
    _ends(_command(commands, "bound", _bound, "print a bound of a Jacobian's norm"))
    _shown(_command(commands, "adjoint", _adjoint, "print back-propagation through time as equations"))

    sheet = _command(commands, "latex", _latex, "the equation sheet: forward pass, gradients, Jacobians, products")
    sheet.add_argument("--standalone", action="store_true", help="a whole document for pdflatex, not a fragment")
    sheet.add_argument("--sections", nargs="+", metavar="NAME", help="which sections (default: all)")
    _with_notation(sheet)
    sheet.add_argument("--out", metavar="FILE", help=OUT)

    source = _command(commands, "source", _source, "the kernel as source: step, Jacobian, JVP, VJP, gradient")
    source.add_argument("--target", default="numpy", help="numpy, jax, torch or c (default: numpy)")
    source.add_argument("--out", metavar="FILE", help=OUT)

    verify = "prove every Jacobian against SymPy's own, exactly, and print the certificate"
    _command(commands, "verify", _verify, verify)


# --- options ----------------------------------------------------------------------------------------------------


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], Any], text: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("--cell", default="LSTM", help="which cell, see 'lstm-sym cells' (default: LSTM)")
    command.add_argument("--layers", type=int, default=1, metavar="K", help="that many layers of it (default: 1)")
    command.add_argument("--activation", help="the activation, for a cell that has a choice (RNN: tanh, relu, …)")
    command.set_defaults(run=run)
    return command


def _ends(command: argparse.ArgumentParser, path: bool = True) -> None:
    """OF and WRT, --path, and how to show the answer."""
    command.add_argument("of", metavar="OF", help=WHAT["of"])
    command.add_argument("wrt", metavar="WRT", help=WHAT["wrt"])
    if path:
        command.add_argument("--path", default="partial", help=f"{WHAT['path']} (default: partial)")
    _shown(command)


def _shown(command: argparse.ArgumentParser) -> None:
    command.add_argument("--latex", action="store_true", help="as LaTeX instead of Unicode")
    _with_notation(command)


def _with_notation(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        *("--notation", "-n"),
        action="append",
        default=[],
        metavar="CHOICE=VALUE",
        help="how LaTeX is written, as often as needed: weights=W-U, bold=yes, vectors=row, gates=Gamma, …",
    )


def _cell(options: argparse.Namespace) -> Cell:
    """The cell that the options name, from the shipped ones; capitals do not matter."""
    from lstm_sym import cells

    cell = cells.named(options.cell)
    if options.activation is not None:
        cell = cell(activation=options.activation)
    if not 1 <= options.layers <= 9:
        raise ValueError(f"--layers {options.layers}: expected 1 to 9.")
    return cell if options.layers == 1 else lstm_sym.stack(*[cell] * options.layers)


def _notation(options: argparse.Namespace) -> Any:
    """The notation that the options choose; yes and no stand for True and False."""
    words = {"yes": True, "true": True, "no": False, "false": False}
    choices: dict[str, Any] = {}
    for given in options.notation:
        choice, equals, value = given.partition("=")
        if not equals and choice in lstm_sym.Notation.__dataclass_fields__:
            raise ValueError(f"--notation {given}: expected {given}=VALUE.")
        if choice not in lstm_sym.Notation.__dataclass_fields__:
            raise unknown_name("choice of a notation", given, lstm_sym.Notation.__dataclass_fields__)
        choices[choice] = words.get(value.lower(), value)
    return lstm_sym.Notation(**choices)


def _show(value: Any, options: argparse.Namespace) -> None:
    if options.latex:
        print(lstm_sym.latex(value, equation=True, notation=_notation(options)))
    else:
        print(value.equation() if isinstance(value, Jacobian) else value)


# --- commands ---------------------------------------------------------------------------------------------------


def _cells(options: argparse.Namespace) -> None:
    from lstm_sym import cells

    width = max(map(len, cells.__all__))
    for name in cells.__all__:
        print(f"{name:<{width}}  {getattr(cells, name).reference}")


def _equations(options: argparse.Namespace) -> None:
    cell = _cell(options)
    print(cell.latex(notation=_notation(options)) if options.latex else cell)


def _jacobian(options: argparse.Namespace) -> None:
    _show(lstm_sym.jacobian(_cell(options), options.of, options.wrt, path=options.path), options)


def _paths(options: argparse.Namespace) -> None:
    _show(lstm_sym.paths(_cell(options), options.of, options.wrt, path=options.path), options)


def _derivation(options: argparse.Namespace) -> None:
    _show(lstm_sym.derivation(_cell(options), options.of, options.wrt), options)


def _bound(options: argparse.Namespace) -> None:
    _show(lstm_sym.bound(_cell(options), options.of, options.wrt, path=options.path), options)


def _adjoint(options: argparse.Namespace) -> None:
    _show(lstm_sym.adjoint(_cell(options)), options)


def _latex(options: argparse.Namespace) -> None:
    chosen = {"notation": _notation(options), "sections": options.sections}
    _written(lstm_sym.sheet(_cell(options), standalone=options.standalone, **chosen), options.out)


def _source(options: argparse.Namespace) -> None:
    _written(lstm_sym.source(_cell(options), options.target), options.out)


def _written(text: str, out: str | None) -> None:
    """Print the text, or write it to the file that is named."""
    from lstm_sym.files import write_text

    if out is None:
        print(text, end="")
    else:
        print(f"wrote {write_text(out, text)}")


def _verify(options: argparse.Namespace) -> None:
    print(lstm_sym.verify(_cell(options)))
