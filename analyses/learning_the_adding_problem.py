"""Learning to add: what training does to the gradient's reach, RNN against LSTM, on the adding problem.

Claim.    An LSTM of 32 units learns to add two marked numbers up to 99 steps back, from every seed. An RNN of equal
          size, with the same method and as many updates, stays at chance from four seeds of five and comes half-way
          from one. While the LSTM's error is at chance its leading exponent is about −0.07, and the gradient falls
          by two to five decades over a sequence; then one exponent jumps to zero, no later than the error falls,
          and stays within 0.01 of it, in one run of five within 0.03; the second rises slowly, to −0.03. The
          gradient then grows eightfold over some twenty steps and keeps its size over all that remain, beside a
          direct path that loses a fifth. Training does the reverse to the RNN: within a hundred updates its
          exponent falls from −0.24 to −0.45. Late in training it comes near zero in two runs, but does not stay.
Methods.  Adding problem (Hochreiter & Schmidhuber 1997, section 5.4, in the variant of arXiv 1511.06464): T = 100
          numbers from U(0, 1) beside a channel that marks one number in each half by 1; the target is their sum, at
          the last step alone. Mean square error, full back-propagation through time by the kernels' own gradient,
          gradients clipped to norm 1, Adam, 20 fresh sequences for every update, so that errors in training are
          errors on unseen sequences. Rate 0.001 for the RNN (the best of 0.0003, 0.001 and 0.003), 0.01 for the
          LSTM. Forget bias 1, five seeds each. At checkpoints, along 50 sequences: spectral norms of ∂h_T/∂h_{T−k}
          (RNN) and ∂c_T/∂c_{T−k} (LSTM), and leading finite-time Lyapunov exponents, the first fifth of the steps
          left out as transient.
Figure.   (a) error, median and range over seeds; thin lines: the least error of an observer who recalls the last k
          inputs, (1 − k/T)/6. (c) exponents, mean and standard error over seeds, thin lines: the seeds; linear
          within 0.1 of zero, logarithmic beyond. (b, d) log10 gradient norm against lag, median over sequences,
          then median and range over seeds.
Landmark. The observer's error on 20,000 sequences against (1 − k/T)/6, k = 0 being the prediction of the mean; the
          slope of the error by back-propagation against the complex step, and the sum of all Lyapunov exponents
          against the closed form of log|det J|, both in the trained networks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lstm_sym as ls
from lstm_sym.figures import PAGE, colours, faint, legend, panels, plot_gradient_norms, plot_learning
from lstm_sym.figures.points import mean_and_error, plot_points
from lstm_sym.scripts import Outcome, Run, run_script
from lstm_sym.theory.adding import error_of_memory
from lstm_sym.training import Loss, adding_problem, descent, flat, shaped, squared_error, value_and_gradient

CELLS = {"RNN": ls.RNN, "LSTM": ls.LSTM}
STATES = {"RNN": "h", "LSTM": "c"}  # whose reach is measured
RATES = {"RNN": 0.001, "LSTM": 0.01}  # of Adam
CLIP = 1.0
CHECKPOINTS = (0, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40, 50, 60, 80, 100)  # when to look, in percent of the updates
LOOKS = {"before": 0, "during": CHECKPOINTS.index(4), "after": -1}
TESTS, FOLLOWED = 200, 50  # sequences for the error at checkpoints, the same for all networks; those for the flow
EXPONENTS = 2
BLOCKS = 50  # over which errors during training are averaged
SAMPLES = 20_000  # sequences behind the first landmarks
FULL = {"hidden": 32, "steps": 100, "batch": 20, "updates": 2500, "seeds": 5, "seed": 1}
QUICK = {"hidden": 16, "steps": 20, "updates": 500, "seeds": 2}

Array = NDArray[np.float64]


def errors_with_memory(memory: int, inputs: Array, targets: Array) -> Array:
    """The squared errors of that observer on sequences, (batch,): it takes 1/2 for what it does not recall."""
    recalled = np.arange(len(inputs))[:, None] >= len(inputs) - memory
    guess = (np.where(recalled, inputs[..., 0], 0.5) * inputs[..., 1]).sum(axis=0)
    return np.asarray((guess - targets[:, 0]) ** 2)


def train(
    network: str, *, rng: np.random.Generator, hidden: int, steps: int, batch: int, updates: int, test_seed: int
) -> dict[str, Array | float]:
    """Train one network on fresh sequences at every update, and look at it now and then."""
    kernel = ls.Kernel(CELLS[network])
    start = kernel.parameters(hidden, 2, rng=rng, outputs=1)
    inputs, targets = adding_problem(np.random.default_rng(test_seed), steps, TESTS)

    def objective(vector: Array) -> tuple[float, Array]:
        x, sums = adding_problem(rng, steps, batch)
        return value_and_gradient(kernel, vector, start, x, error_of_the_sum(sums, steps))

    losses, seen, looks = [], [], checkpoints(updates)
    path = descent(objective, flat(start), RATES[network], CLIP)
    for update, (value, vector) in zip(range(updates + 1), path, strict=False):
        losses.append(value)
        if update in looks:
            seen.append(look(kernel, STATES[network], shaped(vector, start), inputs, targets))
    over_time = {name: np.stack([found[name] for found in seen]) for name in seen[0]}
    return {"loss": np.array(losses), **over_time, **two_routes(kernel, shaped(vector, start), inputs, targets)}


def error_of_the_sum(sums: Array, steps: int) -> Loss:
    """The mean square error of the last output, the only one that counts."""
    return squared_error(sums, (np.arange(steps) == steps - 1)[:, None, None] / len(sums))


def checkpoints(updates: int) -> list[int]:
    """After how many updates to look."""
    return [round(percent * updates / 100) for percent in CHECKPOINTS]


def look(
    kernel: ls.Kernel, state: str, parameters: Mapping[str, Array], inputs: Array, targets: Array
) -> dict[str, Array]:
    """Test error; gradient norms (T,), medians over sequences; leading exponents, means over sequences."""
    answers = ls.run(kernel, parameters, inputs)["y"][-1]
    orbit = ls.run(kernel, parameters, inputs[:, :FOLLOWED])
    norms = {path: ls.gradient_norms(orbit, state, state, path=path) for path in ("full", "direct")}
    exponents = ls.lyapunov_spectrum(orbit, k=EXPONENTS, transient=len(inputs) // 5)
    return {
        "error": np.mean((answers - targets) ** 2),
        "exponents": np.asarray(exponents).mean(axis=0),
        **{path: np.median(values, axis=1) for path, values in norms.items()},
    }


def two_routes(
    kernel: ls.Kernel, parameters: Mapping[str, Array], inputs: Array, targets: Array
) -> dict[str, Array | float]:
    """Two numbers by two routes each: the error's slope along some direction, and the flow's change of volume."""
    vector, tiny = flat(parameters), 1e-30
    direction = np.random.default_rng(0).standard_normal(len(vector))
    loss = error_of_the_sum(targets, len(inputs))
    _, slope = value_and_gradient(kernel, vector, parameters, inputs, loss)
    tilted = ls.run(kernel, shaped(vector + 1j * tiny * direction, parameters), inputs)
    orbit = ls.run(kernel, parameters, inputs[:, 0])
    assert kernel.log_determinant is not None
    return {
        "slope": float(slope @ direction),
        "slope by complex step": float(np.mean((tilted["y"][-1] - targets) ** 2).imag / tiny),
        "sum of exponents": float(ls.lyapunov_spectrum(orbit).sum()),
        "log determinant": float(kernel.log_determinant(parameters, orbit.inputs, orbit.previous).mean()),
    }


def smooth(losses: Array) -> tuple[Array, Array]:
    """Errors (..., updates) averaged over BLOCKS stretches of training: their middles, and means (..., BLOCKS)."""
    stretches = np.array_split(np.arange(losses.shape[-1]), BLOCKS)
    means = [losses[..., stretch].mean(axis=-1) for stretch in stretches]
    return np.array([stretch.mean() for stretch in stretches]), np.stack(means, axis=-1)


def draw(found: Mapping[str, Array], steps: int, updates: int) -> Figure:
    """Errors over exponents at the left, the reach of both networks at the right."""
    figure, axes = panels(2, 2, width=PAGE, height=4.2, width_ratios=(1.15, 1))
    middles, means = smooth(found["loss"])
    memories = {f"$k$ = {k}": error_of_memory(k, steps) for k in (0, steps // 2, steps * 9 // 10)}
    title = "(a) error; dashed: the least with a memory of $k$ steps"
    plot_learning(middles, dict(zip(CELLS, means, strict=True)), axes[0, 0], memories, title=title)
    legend(axes[0, 0], loc="lower left")
    draw_exponents(found["exponents"], updates, axes[1, 0])
    for ax, letter, row, name in zip(axes[:, 1], "bd", (0, 1), CELLS, strict=True):
        counts = [checkpoints(updates)[place] for place in LOOKS.values()]
        labels = ["before training", *(f"after {count} updates" for count in counts[1:])]
        norms = {label: found["full"][row, :, place] for label, place in zip(labels, LOOKS.values(), strict=True)}
        if name == "LSTM":
            norms[f"after {counts[-1]}, direct only"] = found["direct"][row, :, -1]
        state = STATES[name]
        plot_gradient_norms(norms, ax, title=f"({letter}) {name}, $\\partial {state}_T/\\partial {state}_{{T-k}}$")
        ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
        ax.set_xlim(0, steps)
        ax.xaxis.get_major_locator().set_params(integer=True)
        legend(ax, loc="lower left")
    return figure


def draw_exponents(exponents: Array, updates: int, ax: Axes) -> None:
    """The first exponent of both networks, and the LSTM's second."""
    (rnn, _), (lstm, second) = np.moveaxis(exponents, -1, 1)
    shown = {"RNN, first": rnn, "LSTM, first": lstm, "LSTM, second": second}
    curves = {label: (checkpoints(updates), values) for label, values in shown.items()}
    labels = ("updates", "exponent (nats per step)")
    plot_points(curves, ax, None, labels, "(c) leading Lyapunov exponents")
    for (places, values), colour in zip(curves.values(), colours(ax), strict=False):
        ax.plot(places, values.T, color=colour, linewidth=0.5, alpha=0.4, zorder=1)
    ax.axhline(0, color=faint(ax), linewidth=0.5, zorder=0)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set_yticks((-0.5, -0.2, -0.1, -0.05, 0), ("−0.5", "−0.2", "−0.1", "−0.05", "0"), minor=False)
    ax.set_yticks((), minor=True)
    ax.set_ylim(top=0.05)  # room for the legend
    legend(ax, loc="upper center", ncols=3, columnspacing=1.2, handletextpad=0.1)


def landmarks_of_the_task(run: Run) -> None:
    """What can be had by recalling no, a quarter and half of the sequence."""
    steps = run["steps"]
    inputs, targets = adding_problem(np.random.default_rng(run["seed"]), steps, SAMPLES)
    for memory in (0, steps // 4, steps // 2):
        errors = errors_with_memory(memory, inputs, targets)
        what = f"mean square error with a memory of {memory} steps"
        run.landmark(what, errors.mean(), error_of_memory(memory, steps), error=errors.std() / np.sqrt(SAMPLES))


def landmarks_of_training(run: Run, found: Mapping[str, Array]) -> None:
    """Two routes to the slope of the error and to the change of volume, at the first network of each kind."""
    for row, name in enumerate(CELLS):
        slope, expected = found["slope"][row, 0], found["slope by complex step"][row, 0]
        run.landmark(f"{name}, trained: slope of the error by BPTT", slope, expected, error=1e-12 * abs(expected))
        volume, closed = found["sum of exponents"][row, 0], found["log determinant"][row, 0]
        run.landmark(f"{name}, trained: sum of all exponents", volume, closed, error=1e-9)


def report(run: Run, found: Mapping[str, Array]) -> None:
    """What was seen, in numbers."""
    steps, (_, means) = run["steps"], smooth(found["loss"])
    for row, name in enumerate(CELLS):
        last, exponents = means[row, :, -1], found["exponents"][row, ..., 0]
        run.say(
            f"{name}: error at the end {np.median(last):.4f}, from {last.min():.4f} to {last.max():.4f} by seed"
        )
        solved = first_seen(found["error"][row] < 1 / 12, run["updates"])
        lasting = first_seen(exponents > -1 / steps, run["updates"])
        run.say(f"{name}: first seen with an error below 1/12 after {solved} updates")
        run.say(f"{name}: first seen with an exponent above −1/{steps} after {lasting} updates")
        for label, place in LOOKS.items():
            mean, error = (value[0] for value in mean_and_error(exponents[:, place, None]))
            full, direct = (np.median(found[path][row, :, place, -2]) / np.log(10) for path in ("full", "direct"))
            reach = f"{full:.2f}" if np.isneginf(direct) else f"{full:.2f}, direct path {direct:.2f}"
            lag = f"log10 gradient norm at lag {steps - 1}: {reach}"
            run.say(f"{name}, {label}: leading exponent {mean:.3f} ± {error:.3f}; {lag}")


def first_seen(met: NDArray[np.bool_], updates: int) -> str:
    """For each seed of ``met`` (seeds, checkpoints), the first checkpoint at which it holds."""
    return ", ".join(str(checkpoints(updates)[np.argmax(seed)]) if seed.any() else "(never)" for seed in met)


def work(run: Run) -> Outcome:
    """Train, look, and set beside theory what has one."""
    for name, least in {"hidden": EXPONENTS, "steps": 5, "updates": 100}.items():
        if run[name] < least:
            raise ValueError(f"{name} = {run[name]}: expected at least {least}.")
    landmarks_of_the_task(run)
    constants = {name: run[name] for name in ("hidden", "steps", "batch", "updates")} | {"test_seed": run["seed"]}
    grid = {"network": list(CELLS)}
    result = run.sweep(train, grid, seeds=run["seeds"], seed=run["seed"], constants=constants)
    found = {name: result[name] for name in result.names}
    landmarks_of_training(run, found)
    report(run, found)
    parameters = {"rates": RATES, "clip": CLIP, "checkpoints": checkpoints(run["updates"]), "test sequences": TESTS}
    return Outcome(lambda: draw(found, run["steps"], run["updates"]), found, parameters, equations())


def equations() -> dict[str, str]:
    """Back-propagation, which trains, and the products whose norms are drawn."""
    return {
        "error with a memory of k steps": r"E_k = \tfrac{1}{6}\,(1 - k/T)",
        "back-propagation through time, RNN": ls.latex(ls.adjoint(ls.RNN), equation=True),
        "back-propagation through time, LSTM": ls.latex(ls.adjoint(ls.LSTM), equation=True),
        "the RNN's product": ls.latex(ls.horizon_product(ls.RNN, "h", "h"), equation=True),
        "the LSTM's direct path": ls.latex(ls.horizon_product(ls.LSTM, "c", "c", path="direct"), equation=True),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run_script("learning_the_adding_problem", __doc__, work, FULL, QUICK, arguments)


if __name__ == "__main__":
    sys.exit(main())
