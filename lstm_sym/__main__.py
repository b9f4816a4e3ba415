"""The command line: ``lstm-sym`` or ``python -m lstm_sym``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lstm_sym
from lstm_sym.commands import deriving, drawing, sweeping

EPILOG = """\
examples:
  lstm-sym cells                           what there is
  lstm-sym equations --cell GRU            a cell's forward pass
  lstm-sym jacobian c h                    ∂cₜ/∂hₜ₋₁ in closed form
  lstm-sym jacobian c c --path total       with the path through hₜ₋₁ counted
  lstm-sym derivation c h                  the same, step by step
  lstm-sym adjoint --latex                 back-propagation through time as equations
  lstm-sym latex --standalone --notation weights=W-U --notation bold=yes --out sheet.tex
  lstm-sym source --target jax --cell LSTM --out lstm.py
  lstm-sym verify --cell RNN --activation relu
  lstm-sym figures gradient_reach --quick --out figures
  lstm-sym sweep exponent --axis gain=0.5:8:11 --axis b_f=-2:6:9 --jobs 2 --out phase
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 a proof failed, 2 the command was not understood."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ⊙ shows ?, not a traceback
    options = _parser().parse_args(arguments)
    try:
        with _no_window():
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


@contextmanager
def _no_window() -> Iterator[None]:
    """Within: MPLBACKEND is not heeded. Nothing is shown, and a name unknown to matplotlib would stop it."""
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "Agg"
    try:
        yield
    finally:
        del os.environ["MPLBACKEND"]
        if before is not None:
            os.environ["MPLBACKEND"] = before


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lstm-sym",
        description="Gradient flow in recurrent networks: exact Jacobians, LaTeX, proofs, kernels, figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lstm-sym {lstm_sym.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in (deriving, drawing, sweeping):
        group.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
