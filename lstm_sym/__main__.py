"""The command line: ``lstm-sym`` or ``python -m lstm_sym``."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

import lstm_sym
from lstm_sym.calculus import Jacobian
from lstm_sym.cell import Cell
from lstm_sym.checks import unknown_name

EPILOG = """\
examples:
  lstm-sym equations                       the LSTM's forward pass
  lstm-sym jacobian c h                    ∂cₜ/∂hₜ₋₁ in closed form
  lstm-sym jacobian c c --path total       with the path through hₜ₋₁ counted
  lstm-sym jacobian state state --latex    the whole state Jacobian as LaTeX
  lstm-sym latex --standalone --out sheet.tex && pdflatex sheet.tex
  lstm-sym source --target jax --cell LSTM --out lstm.py
  lstm-sym verify --cell RNN --activation relu
  lstm-sym figures gradient_reach --quick --out figures
"""
WHAT = {
    "of": "what is differentiated: a gate (f), a state (c: its new value), a pre-activation (a_f), or 'state'",
    "wrt": "with respect to what: a state (c: its value before the step), an input (x), a pre-activation, 'state'",
    "path": "partial: other states held fixed; total: through them as well; direct: through no weight matrix",
}

OUT = "write to FILE (replaced if it exists) instead of the terminal"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 a proof failed, 2 the command was not understood."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ⊙ shows ?, not a traceback
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except lstm_sym.VerificationError as error:
        print(f"lstm-sym: not proved: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"lstm-sym {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lstm-sym: interrupted.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lstm-sym",
        description="Gradient flow in recurrent networks: exact Jacobians, LaTeX, proofs, kernels, figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lstm-sym {lstm_sym.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    equations = _command(commands, "equations", _equations, "print a cell's forward equations")
    equations.add_argument("--latex", action="store_true", help="as LaTeX instead of Unicode")

    jacobian = _command(commands, "jacobian", _jacobian, "print one exact Jacobian in closed form")
    jacobian.add_argument("of", metavar="OF", help=WHAT["of"])
    jacobian.add_argument("wrt", metavar="WRT", help=WHAT["wrt"])
    jacobian.add_argument("--path", default="partial", help=f"{WHAT['path']} (default: partial)")
    jacobian.add_argument("--latex", action="store_true", help="as LaTeX instead of Unicode")

    latex = _command(commands, "latex", _latex, "the equation sheet: forward pass, gradients, Jacobians, products")
    latex.add_argument("--standalone", action="store_true", help="a whole document for pdflatex, not a fragment")
    latex.add_argument("--out", metavar="FILE", help=OUT)

    source = _command(commands, "source", _source, "the kernel as source: step, Jacobian, JVP, VJP, gradient")
    source.add_argument("--target", default="numpy", help="numpy, jax, torch or c (default: numpy)")
    source.add_argument("--out", metavar="FILE", help=OUT)

    _command(
        commands, "verify", _verify, "prove every Jacobian against SymPy's own, exactly, and print the certificate"
    )

    figures = commands.add_parser(
        "figures", help="run analyses: each makes a figure, its numbers and its parameters"
    )
    figures.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(analyses())}")
    figures.add_argument("--quick", action="store_true", help="smaller sizes and horizons, a few seconds each")
    figures.add_argument("--out", default="figures", metavar="DIR", help="folder for the files (default: figures)")
    figures.set_defaults(run=_figures)
    return parser


def _command(commands: argparse._SubParsersAction, name: str, run: object, text: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.add_argument("--cell", default="LSTM", help=f"which cell: {', '.join(_shipped())} (default: LSTM)")
    command.add_argument("--activation", help="the activation, for a cell that has a choice (RNN: tanh, relu, …)")
    command.set_defaults(run=run)
    return command


def _shipped() -> list[str]:
    from lstm_sym import cells

    return list(cells.__all__)


def _cell(options: argparse.Namespace) -> Cell:
    """The cell that the options name, from the shipped ones; capitals do not matter."""
    from lstm_sym import cells

    by_name = {name.lower(): name for name in cells.__all__}
    if options.cell.lower() not in by_name:
        raise unknown_name("cell", options.cell, cells.__all__)
    cell: Cell = getattr(cells, by_name[options.cell.lower()])
    return cell(activation=options.activation) if options.activation is not None else cell


def analyses() -> list[str]:
    """The names of the analyses that are installed."""
    package = importlib.import_module("lstm_sym.analyses")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))


def _equations(options: argparse.Namespace) -> None:
    cell = _cell(options)
    print(cell.latex() if options.latex else cell)


def _jacobian(options: argparse.Namespace) -> None:
    value = lstm_sym.jacobian(_cell(options), options.of, options.wrt, path=options.path)
    if options.latex:
        print(lstm_sym.latex(value, equation=True))
    else:
        print(value.equation() if isinstance(value, Jacobian) else value)


def _latex(options: argparse.Namespace) -> None:
    _written(lstm_sym.sheet(_cell(options), standalone=options.standalone), options.out)


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


def _figures(options: argparse.Namespace) -> int:
    known = analyses()
    for name in options.names:
        if name not in known:
            raise unknown_name("analysis", name, known)
    status = 0
    for name in options.names or known:
        module = importlib.import_module(f"lstm_sym.analyses.{name}")
        print(f"{name}:", flush=True)
        arguments = ["--out", options.out, *(["--quick"] if options.quick else [])]
        status = max(status, int(module.main(arguments) or 0))
    return status


if __name__ == "__main__":
    sys.exit(main())
