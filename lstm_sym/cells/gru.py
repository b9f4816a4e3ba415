"""Gated recurrent units: gates and a candidate, but no cell state beside the hidden one."""

from lstm_sym.cell import Cell

GRU = Cell(
    "GRU",
    """
    r = sigmoid(W_xr @ x + W_hr @ h_prev + b_r)   # reset gate
    z = sigmoid(W_xz @ x + W_hz @ h_prev + b_z)   # update gate: what to keep of the old state
    q = r * h_prev                                # old state, reset before the product
    n = tanh(W_xn @ x + W_qn @ q + b_n)           # candidate
    h = z * h_prev + (1 - z) * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="K. Cho, B. van Merriënboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk, Y. Bengio, Learning"
    " phrase representations using RNN encoder-decoder, EMNLP 2014, arXiv 1406.1078, eqs. 5-8",
    aliases=("gated recurrent unit", "GRU (reset before)", "reset inside"),
)

GRUResetAfter = Cell(
    "GRU (reset after)",
    """
    r = sigmoid(W_xr @ x + W_hr @ h_prev + b_r)   # reset gate
    z = sigmoid(W_xz @ x + W_hz @ h_prev + b_z)   # update gate: what to keep of the old state
    q = W_hn @ h_prev + b_q                       # what the old state says to the candidate
    n = tanh(W_xn @ x + b_n + r * q)              # candidate, reset after the product
    h = z * h_prev + (1 - z) * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="K. Cho et al., arXiv 1406.1078v1; the form of cuDNN, of torch.nn.GRU (PyTorch) and of Keras"
    " (reset_after=True)",
    aliases=("reset_after", "cuDNN GRU", "PyTorch GRU", "reset outside"),
)

MGU = Cell(
    "MGU",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + b_f)   # forget gate: what to replace of the old state
    q = f * h_prev                                # old state, gated before the product
    n = tanh(W_xn @ x + W_qn @ q + b_n)           # candidate
    h = (1 - f) * h_prev + f * n                  # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h",
    outputs="y",
    reference="G.-B. Zhou, J. Wu, C.-L. Zhang, Z.-H. Zhou, Minimal gated unit for recurrent neural networks,"
    " International Journal of Automation and Computing 13 (2016) 226-234, arXiv 1603.09420",
    aliases=("minimal gated unit",),
)
