"""Cells that keep one gate, or gates that see only the input."""

from lstm_sym.cell import Cell

JANET = Cell(
    "JANET",
    """
    s = W_xf @ x + W_hf @ h_prev + b_f            # what the gates see
    f = sigmoid(s)                                # forget gate
    k = sigmoid(s - beta)                         # the same gate as the candidate sees it, lower by β
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)      # candidate
    h = f * h_prev + (1 - k) * g                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    constants={"beta": 1.0},
    reference="J. van der Westhuizen, J. Lasenby, The unreasonable effectiveness of the forget gate,"
    " arXiv 1804.04849 (2018)",
    aliases=("just another network", "forget-gate-only LSTM"),
)

UGRNN = Cell(
    "UGRNN",
    """
    z = sigmoid(W_xz @ x + W_hz @ h_prev + b_z)   # update gate: what to keep of the old state
    n = tanh(W_xn @ x + W_hn @ h_prev + b_n)      # candidate
    h = z * h_prev + (1 - z) * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="J. Collins, J. Sohl-Dickstein, D. Sussillo, Capacity and trainability in recurrent neural networks,"
    " ICLR 2017, arXiv 1611.09913",
    aliases=("update gate RNN",),
)

MinimalRNN = Cell(
    "minimalRNN",
    """
    n = tanh(W_xn @ x + b_n)                      # candidate: the input, embedded
    z = sigmoid(W_nz @ n + W_hz @ h_prev + b_z)   # update gate: what to keep of the old state
    h = z * h_prev + (1 - z) * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="M. Chen, MinimalRNN: toward more interpretable and trainable recurrent neural networks,"
    " arXiv 1711.06788 (2017)",
    aliases=("minimal RNN",),
)

MinGRU = Cell(
    "minGRU",
    """
    z = sigmoid(W_xz @ x + b_z)                   # update gate: what to replace of the old state
    n = W_xn @ x + b_n                            # candidate
    h = (1 - z) * h_prev + z * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, Were RNNs all we needed?,"
    " arXiv 2410.01201 (2024), sec. 3.1",
    aliases=("minimal GRU",),
)

MinLSTM = Cell(
    "minLSTM",
    """
    f = sigmoid(W_xf @ x + b_f)                   # forget gate
    i = sigmoid(W_xi @ x + b_i)                   # input gate
    n = W_xn @ x + b_n                            # candidate
    h = f / (f + i) * h_prev + i / (f + i) * n    # hidden state, the gates normalised
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="L. Feng, F. Tung, M. O. Ahmed, Y. Bengio, H. Hajimirsadeghi, Were RNNs all we needed?,"
    " arXiv 2410.01201 (2024), sec. 3.2",
    aliases=("minimal LSTM",),
)
