"""Long short-term memory and its classical variants."""

from lstm_sym.cell import Cell

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
    aliases=("long short-term memory", "vanilla LSTM"),
)

LSTMNoForget = Cell(
    "LSTM (1997)",
    """
    i = sigmoid(W_xi @ x + W_hi @ h_prev + b_i)   # input gate
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)      # candidate
    c = c_prev + i * g                            # cell state: the constant error carousel
    o = sigmoid(W_xo @ x + W_ho @ h_prev + b_o)   # output gate
    m = tanh(c)                                   # squashed cell state
    h = o * m                                     # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h c",
    outputs="y",
    reference="S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9 (1997) 1735-1780",
    aliases=("LSTM without forget gate", "constant error carousel"),
)

PeepholeLSTM = Cell(
    "peephole LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + p_f * c_prev + b_f)   # forget gate, sees the old cell state
    i = sigmoid(W_xi @ x + W_hi @ h_prev + p_i * c_prev + b_i)   # input gate, sees the old cell state
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)                     # candidate
    c = f * c_prev + i * g                                       # cell state
    o = sigmoid(W_xo @ x + W_ho @ h_prev + p_o * c + b_o)        # output gate, sees the new cell state
    m = tanh(c)                                                  # squashed cell state
    h = o * m                                                    # hidden state
    y = W_hy @ h + b_y                                           # output layer
    """,
    states="h c",
    outputs="y",
    vectors="p_f p_i p_o",
    reference="F. A. Gers, J. Schmidhuber, Recurrent nets that time and count, IJCNN 2000, vol. 3, 189-194",
    aliases=("peephole", "LSTM with peepholes"),
)

CoupledLSTM = Cell(
    "coupled LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + b_f)   # forget gate; 1 − f is the input gate
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)      # candidate
    c = f * c_prev + (1 - f) * g                  # cell state
    o = sigmoid(W_xo @ x + W_ho @ h_prev + b_o)   # output gate
    m = tanh(c)                                   # squashed cell state
    h = o * m                                     # hidden state
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h c",
    outputs="y",
    reference="K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink, J. Schmidhuber, LSTM: a search space"
    " odyssey, IEEE Trans. Neural Networks and Learning Systems 28 (2017) 2222-2232, arXiv 1503.04069",
    aliases=("coupled input-forget gate", "LSTM with coupled gates"),
)

ProjectionLSTM = Cell(
    "projection LSTM",
    """
    f = sigmoid(W_xf @ x + W_hf @ h_prev + b_f)   # forget gate
    i = sigmoid(W_xi @ x + W_hi @ h_prev + b_i)   # input gate
    g = tanh(W_xg @ x + W_hg @ h_prev + b_g)      # candidate
    c = f * c_prev + i * g                        # cell state
    o = sigmoid(W_xo @ x + W_ho @ h_prev + b_o)   # output gate
    m = tanh(c)                                   # squashed cell state
    q = o * m                                     # what leaves the cell
    h = W_qh @ q                                  # hidden state: its projection
    y = W_hy @ h + b_y                            # output layer
    """,
    states="h c",
    outputs="y",
    sizes={"hidden": "c", "projection": "h"},
    reference="H. Sak, A. Senior, F. Beaufays, Long short-term memory recurrent neural network architectures for"
    " large scale acoustic modeling, Interspeech 2014, 338-342",
    aliases=("LSTMP", "recurrent projection", "LSTM with projection"),
)
