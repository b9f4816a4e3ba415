"""Recurrent networks without gates."""

from lstm_sym.cell import Cell

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
    aliases=("vanilla RNN", "Elman network", "simple RNN"),
)

IndRNN = Cell(
    "IndRNN",
    """
    h = activation(W_xh @ x + u_h * h_prev + b_h)    # hidden state: every unit sees only itself
    y = W_hy @ h + b_y                               # output layer
    """,
    states="h",
    outputs="y",
    vectors="u_h",
    choices={"activation": ("relu", "tanh", "sigmoid", "identity")},
    reference="S. Li, W. Li, C. Cook, C. Zhu, Y. Gao, Independently recurrent neural network (IndRNN): building a"
    " longer and deeper RNN, CVPR 2018, arXiv 1803.04831, eq. 2",
    aliases=("independently recurrent neural network",),
)

LeakyRNN = Cell(
    "leaky RNN",
    """
    r = activation(W_xh @ x + W_hh @ h_prev + b_h)   # drive
    h = (1 - alpha) * h_prev + alpha * r             # hidden state: an Euler step of τ dh/dt = −h + r, α = Δt/τ
    y = W_hy @ h + b_y                               # output layer
    """,
    states="h",
    outputs="y",
    constants={"alpha": 0.1},
    choices={"activation": ("tanh", "relu", "sigmoid", "identity")},
    reference="H. Jaeger, M. Lukoševičius, D. Popovici, U. Siewert, Optimization and applications of echo state"
    " networks with leaky-integrator neurons, Neural Networks 20 (2007) 335-352",
    aliases=("continuous-time RNN", "CTRNN", "leaky integrator"),
)

AntisymmetricRNN = Cell(
    "antisymmetric RNN",
    """
    r = tanh(W_hh @ h_prev - W_hh.T @ h_prev - gamma * h_prev + (W_xh @ x + b_h))   # drive, γ: diffusion
    h = h_prev + epsilon * r                                                        # hidden state, ε: step size
    y = W_hy @ h + b_y                                                              # output layer
    """,
    states="h",
    outputs="y",
    constants={"epsilon": 0.1, "gamma": 0.01},
    reference="B. Chang, M. Chen, E. Haber, E. H. Chi, AntisymmetricRNN: a dynamical system view on recurrent"
    " neural networks, ICLR 2019, arXiv 1902.09689, eq. 12",
    aliases=("anti-symmetric RNN",),
)
