"""The shipped cells: declarations only, in the names of the literature (weights: source, then target)."""

from __future__ import annotations

from lstm_sym.cell import Cell

__all__ = ["LSTM", "RNN"]

RNN = Cell(
    "RNN",
    """
    h = activation(W_xh @ x + W_hh @ h_prev + b_h)   # hidden state
    y = W_hy @ h + b_y                               # output layer
    """,
    states="h",
    outputs="y",
    choices={"activation": ("tanh", "relu", "sigmoid", "identity")},
    reference="J. L. Elman, Finding structure in time, Cognitive Science 14 (1990) 179-211",
)

LSTM = Cell(
    "LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + b_f)   # forget gate: what to keep of the old cell state
    i = sigmoid(W_xi @ x + W_hi @ h_prev + b_i)   # input gate: what to learn of the candidate
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)      # candidate
    c = f * c_prev + i * g                        # cell state (long-term memory)
    o = sigmoid(W_xo @ x + W_ho @ h_prev + b_o)   # output gate
    m = tanh(c)                                   # squashed cell state
    h = o * m                                     # hidden state (short-term memory)
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h c",
    outputs="y",
    reference="S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9 (1997) 1735-1780,"
    " with the forget gate of F. A. Gers, J. Schmidhuber, F. Cummins, Neural Computation 12 (2000) 2451-2471",
)
