"""The eight variants of the peephole LSTM that Greff et al. (2017), arXiv 1503.04069, compare: a line each."""

from lstm_sym.cells.lstm import PeepholeLSTM

NIG = PeepholeLSTM.replace(i=1, name="LSTM, no input gate")
NFG = PeepholeLSTM.replace(f=1, name="LSTM, no forget gate")
NOG = PeepholeLSTM.replace(o=1, name="LSTM, no output gate")
NIAF = PeepholeLSTM.replace(g="W_xg @ x + W_hg @ h_prev + b_g", name="LSTM, no input activation")
NOAF = PeepholeLSTM.replace(h="o * c", name="LSTM, no output activation")
CIFG = PeepholeLSTM.replace(i="1 - f", name="LSTM, coupled input and forget gate")
NP = PeepholeLSTM.replace(
    f="sigmoid(W_xf @ x + W_hf @ h_prev + b_f)",
    i="sigmoid(W_xi @ x + W_hi @ h_prev + b_i)",
    o="sigmoid(W_xo @ x + W_ho @ h_prev + b_o)",
    name="LSTM, no peepholes",
)
_GATES = "W_i{0} @ i_prev + W_f{0} @ f_prev + W_o{0} @ o_prev"
FGR = PeepholeLSTM.replace(
    states="h c i f o",
    i=f"sigmoid(W_xi @ x + W_hi @ h_prev + p_i * c_prev + {_GATES.format('i')} + b_i)",
    f=f"sigmoid(W_xf @ x + W_hf @ h_prev + p_f * c_prev + {_GATES.format('f')} + b_f)",
    o=f"sigmoid(W_xo @ x + W_ho @ h_prev + p_o * c + {_GATES.format('o')} + b_o)",
    name="LSTM, full gate recurrence",
)
