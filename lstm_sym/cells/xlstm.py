"""The scalar memory cell of the xLSTM, with exponential gates."""

from lstm_sym.cell import Cell

SLSTM = Cell(
    "sLSTM",
    """
    l = logsigmoid(W_xf @ x + W_hf @ h_prev + b_f)   # log forget gate
    k = W_xi @ x + W_hi @ h_prev + b_i               # log input gate
    z = tanh(W_xz @ x + W_hz @ h_prev + b_z)         # cell input
    o = sigmoid(W_xo @ x + W_ho @ h_prev + b_o)      # output gate
    p = step(l + m_prev - k)                         # whether the old memory is the larger: 1 or 0
    m = p * (l + m_prev) + (1 - p) * k               # stabiliser state: the larger of the two
    f = exp(l + m_prev - m)                          # stabilised forget gate
    i = exp(k - m)                                   # stabilised input gate
    c = f * c_prev + i * z                           # cell state
    n = f * n_prev + i                               # normaliser state
    h = o * c / n                                    # hidden state
    y = W_hy @ h + b_y                               # output layer
    """,
    states="h c n m",
    outputs="y",
    gauge={"c": "-c", "n": "-n", "m": "1"},
    reference="M. Beck, K. Pöppel, M. Spanring, A. Auer, O. Prudnikova, M. Kopp, G. Klambauer, J. Brandstetter,"
    " S. Hochreiter, xLSTM: extended long short-term memory, NeurIPS 2024, arXiv 2405.04517, eqs. 8-17",
    aliases=("xLSTM", "scalar LSTM"),
)
