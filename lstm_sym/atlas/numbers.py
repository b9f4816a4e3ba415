"""Numbers for readers: as many digits as the stated error warrants, powers of ten as powers, a proper minus."""

from __future__ import annotations

import math

#: Significant digits at most, and where there is no error to go by.
MOST, USUAL = 8, 6


def number(value: float, error: float = math.nan) -> str:
    """``value`` as HTML, to two digits of its ``error`` where that is known.

    >>> number(-0.30102999566, 1e-3), number(1.08e-16), number(0.0), number(math.nan)
    ('−0.3010', '1.08 × 10<sup>−16</sup>', '0', '—')
    """
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    digits = USUAL
    if error > 0 and not math.isinf(error):
        digits = min(MOST, max(1, size - math.floor(math.log10(error)) + 2))
    if -5 <= size < max(6, digits):
        return _minus(f"{value:.{max(0, digits - 1 - size)}f}") if error > 0 else _minus(f"{value:.{digits}g}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if not error > 0:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{_minus(mantissa)} × 10<sup>{_minus(str(int(exponent)))}</sup>"


def short(value: float) -> str:
    """To two digits, for errors and differences.

    >>> short(0.0123), short(1e-9), short(-3.4e-12)
    ('0.012', '10<sup>−9</sup>', '−3.4 × 10<sup>−12</sup>')
    """
    if not math.isfinite(value) or value == 0:
        return number(value)
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 4:
        return _minus(f"{value:.2g}") if size < 1 else _minus(f"{value:.{size + 1 if size else 2}g}")
    mantissa, exponent = f"{value:.1e}".split("e")
    power = f"10<sup>{_minus(str(int(exponent)))}</sup>"
    mantissa = _minus(mantissa.removesuffix(".0"))
    return power if mantissa == "1" else f"{mantissa} × {power}"


def _minus(text: str) -> str:
    return text.replace("-", "−")
