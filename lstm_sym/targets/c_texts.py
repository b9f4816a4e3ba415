"""C99 texts that do not depend on the cell: numerically stable functions, and the products of matrix and vector."""

from __future__ import annotations

import re

FUNCTIONS = {
    "sigmoid": """\
/* 1/(1 + e^-a) */
static double sigmoid(double a)
{
    const double e = exp(-fabs(a));
    return (a < 0.0 ? e : 1.0) / (1.0 + e);
}
""",
    "dsigmoid": """\
/* sigmoid'(a) = sigmoid(a) sigmoid(-a): accurate where 1 - sigmoid(a) would be 0 */
static double dsigmoid(double a)
{
    const double e = exp(-fabs(a));
    return e / ((1.0 + e) * (1.0 + e));
}
""",
    "dtanh": """\
/* tanh'(a) = 1/cosh(a)^2, with e^-|a|: nothing overflows, nothing cancels */
static double dtanh(double a)
{
    const double e = exp(-fabs(a)), r = 2.0 * e / (1.0 + e * e);
    return r * r;
}
""",
    "relu": """\
/* max(a, 0) */
static double relu(double a)
{
    return a < 0.0 ? 0.0 : a;
}
""",
    "drelu": """\
/* [a > 0] */
static double drelu(double a)
{
    return a > 0.0 ? 1.0 : 0.0;
}
""",
    "positive": """\
/* [a > 0] as 0 or 1 */
static double positive(double a)
{
    return a > 0.0 ? 1.0 : 0.0;
}
""",
    "maximum": """\
/* the larger of two; at a tie the second */
static double maximum(double a, double b)
{
    return a > b ? a : b;
}
""",
    "logsigmoid": """\
/* log sigmoid(a) = -log(1 + e^-a) */
static double logsigmoid(double a)
{
    return (a < 0.0 ? a : 0.0) - log1p(exp(-fabs(a)));
}
""",
    "dlogsigmoid": """\
/* (log sigmoid)'(a) = sigmoid(-a) */
static double dlogsigmoid(double a)
{
    const double e = exp(-fabs(a));
    return (a > 0.0 ? e : 1.0) / (1.0 + e);
}
""",
    "add": """\
/* z += v */
static void add(size_t size, const double *v, double *z)
{
    for (size_t k = 0; k < size; ++k)
        z[k] += v[k];
}
""",
    "apply": """\
/* z += W v */
static void apply(size_t rows, size_t columns, const double *W, const double *v, double *z)
{
    for (size_t k = 0; k < rows; ++k) {
        double sum = 0.0;
        for (size_t j = 0; j < columns; ++j)
            sum += W[k * columns + j] * v[j];
        z[k] += sum;
    }
}
""",
    "apply_transposed": """\
/* z += W^T u */
static void apply_transposed(size_t rows, size_t columns, const double *W, const double *u, double *z)
{
    for (size_t k = 0; k < rows; ++k)
        for (size_t j = 0; j < columns; ++j)
            z[j] += W[k * columns + j] * u[k];
}
""",
    "add_outer": """\
/* G += u v^T */
static void add_outer(size_t rows, size_t columns, const double *u, const double *v, double *G)
{
    for (size_t k = 0; k < rows; ++k)
        for (size_t j = 0; j < columns; ++j)
            G[k * columns + j] += u[k] * v[j];
}
""",
}


def needed(body: str) -> str:
    """The functions that ``body`` calls, in the order above, the stable forms first."""
    return "\n".join(text for name, text in FUNCTIONS.items() if re.search(rf"(?<![\w.>]){name}\(", body))
