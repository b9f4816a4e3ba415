"""Theory in closed form or by quadrature: what the numbers of a random network tend to.

    meanfield   variance, leading exponent and whole spectrum of h' = φ(g W h + σ ξ), N → ∞; the critical gain
    finite      what a finite size takes off the leading exponent
    edge        the spectral radius of a Gaussian matrix of finite size
    circular    the disc that eigenvalues fill, and their exact mean density
    ginibre     every exponent of products of Gaussian matrices, exactly
    typical     the norm of a vector under such products: typical against mean
    forgetting  the direct path of an LSTM: time constant and forget bias
    detours     what the paths through h add to it
    rounding    the error of QR at a fixed interval
    adding      the adding problem: what a network without memory, or with a limited one, can reach
    gaussian    means over a Gaussian variable, at any variance

>>> import lstm_sym as ls
>>> round(ls.theory.meanfield.critical_gain(noise=0.5), 6)
1.549674
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from lstm_sym import checks


def __getattr__(name: str) -> ModuleType:
    """The modules load when first asked for."""
    if name.startswith("_") or name not in __dir__():
        raise AttributeError(str(checks.unknown_name("module of theory", name, __dir__())))
    return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]
