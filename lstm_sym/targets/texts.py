"""Texts of generated Python that do not depend on the cell; $words are those of the library."""

HELPERS = '''\
def _split(stacked, *sizes):
    """The parts of a stacked array, by their sizes along the last axis."""
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [stacked[..., end - size : end] for size, end in zip(sizes, ends)]


def _join(lead, *parts):
    """Vectors side by side, each with the leading axes lead."""
    return $cat([$xp.broadcast_to(part, (*lead, part.shape[-1])) for part in parts], $axis=-1)


def _rows(diagonals, weights):
    """Σ diag(d) W, as one small matrix product a row: (..., rows, columns)."""
    factors = $xp.stack($xp.broadcast_$arrays(*diagonals), $axis=-1)
    lead, rows, terms = factors.shape[:-2], factors.shape[-2], factors.shape[-1]
    products = $xp.moveaxis(factors, -2, 0).reshape(rows, -1, terms) @ $xp.stack(weights, $axis=1)
    return $xp.moveaxis(products.reshape(rows, *lead, products.shape[-1]), 0, -2)


def _blocks(lead, *rows):
    """A matrix of blocks, each with the leading axes lead."""
    wide = [[$xp.broadcast_to(block, (*lead, *block.shape[-2:])) for block in row] for row in rows]
    return $cat([$cat(row, $axis=-1) for row in wide], $axis=-2)


def _add(total, name, part):
    """Add to what there is under a name, or begin with it."""
    total[name] = total[name] + part if name in total else part


def _outer(delta, vector):
    """Σ delta vectorᵀ over all leading axes."""
    wide = $xp.broadcast_to(vector, (*delta.shape[:-1], vector.shape[-1]))
    return delta.reshape(-1, delta.shape[-1]).T @ wide.reshape(-1, vector.shape[-1])


def _sum(delta):
    """Σ delta over all leading axes."""
    return delta.reshape(-1, delta.shape[-1]).sum($axis=0)


def _repeated(array, first, lead):
    """An array (*first axes, ..., n) with the leading axes lead behind the first ones."""
    missing = first + len(lead) + 1 - array.ndim
    wide = array.reshape((*array.shape[:first], *(1,) * missing, *array.shape[first:]))
    return $xp.broadcast_to(wide, (*array.shape[:first], *lead, array.shape[-1]))


def _unrepeated(array, first, shape):
    """Its adjoint: the sum over the axes along which an array of that shape was repeated."""
    wide = (*shape[:first], *(1,) * (array.ndim - len(shape)), *shape[first:])
    axes = tuple(k for k, n in enumerate(wide) if n != array.shape[k])
    return (array.sum($axis=axes, $keep=True) if axes else array).reshape(shape)
'''

START = '''\
def _start(p, inputs, initial):
    """Inputs (T, *lead, m) and the state before the first step (*lead, S), zeros unless it is given."""
    if initial is None:
        $sizes
        initial = $xp.zeros($total, $like)
$cast    lead = $xp.broadcast_shapes(inputs.shape[1:-1], initial.shape[:-1])
    return _repeated(inputs, 1, lead), _repeated(initial, 0, lead)
'''

UNROLL = '''\
def unroll(parameters, inputs, initial=None):
    """The states after each step, (T, ..., S); inputs (T, ..., m), initial (..., S)."""
    inputs, state = _start(parameters, inputs, initial)
    states = []
    for x in inputs:
        state = step(parameters, x, state)
        states.append(state)
    return $xp.stack(states)
'''

UNROLL_JAX = '''\
def unroll(parameters, inputs, initial=None):
    """The states after each step, (T, ..., S); inputs (T, ..., m), initial (..., S)."""

    def one(state, x):
        state = step(parameters, x, state)
        return state, state

    inputs, state = _start(parameters, inputs, initial)
    return jax.lax.scan(one, state, inputs)[1]
'''

SPREAD = '''\
def _spread(v, states, seeds):
    """The loss's derivatives by name, each (T, *lead, n); those by the states are always there."""
    delta = {state: $xp.zeros_like(part) for state, part in zip(STATES, _parts(v, states))}
    for name, seed in seeds.items():
        if name == "state":
            named = dict(zip(STATES, _parts(v, $xp.broadcast_to(seed, states.shape))))
        elif name in v:
            named = {name: $xp.broadcast_to(seed, (*states.shape[:-1], v[name].shape[-1]))}
        else:
            raise KeyError(f"unknown quantity {name!r}. Known: state, {', '.join(v)}.")
        for vector, part in named.items():
            _add(delta, vector, part)
    return delta


def _parts(v, stacked):
    """The states in a stacked array."""
    return _split(stacked, *(v[state].shape[-1] for state in STATES))
'''

BACK = '''\
def _back(p, coefficients, delta):
    """The recursion: cotangents of all steps, last first; a step's states get what the next step's read."""
    steps = []
    for t in reversed(range(len(delta[STATES[0]]))):
        now = {name: array[t] for name, array in delta.items()}
        if steps:
            for state in STATES:
                now[state] = now[state] + steps[-1][state + "_prev"]
        steps.append(_pull(p, [d[t] for d in coefficients], now))
    return {name: $xp.stack([now[name] for now in reversed(steps)]) for name in steps[0]}
'''

BACK_JAX = '''\
def _back(p, coefficients, delta):
    """The recursion: cotangents of all steps, last first; a step's states get what the next step's read."""

    def one(later, now):
        coefficients, delta = now
        delta = {**delta, **{state: delta[state] + later[state] for state in STATES}}
        delta = _pull(p, coefficients, delta)
        return {state: delta[state + "_prev"] for state in STATES}, delta

    last = {state: jnp.zeros_like(delta[state][0]) for state in STATES}
    return jax.lax.scan(one, last, (coefficients, delta), reverse=True)[1]
'''

GRADIENT = '''\
def gradient(parameters, inputs, seeds, initial=None):
    """Back-propagation through time: gradients by parameters (a dict), inputs and initial state.

    seeds are the loss's derivatives by any named quantities of the run, each (T, ..., n), such as
    {"h": …}; "state" stands for the stacked states, (T, ..., S).
    """
    p = parameters
    wide, start = _start(p, inputs, initial)
    states = unroll(p, wide, start)
    v = evaluate(p, wide, $cat([start[None], states[:-1]]))
    delta, found = _spread(v, states, seeds), {}
    _hand_down(p, v, delta, found)
    lead = states.shape[:-1]
    coefficients = tuple($xp.broadcast_to(d, (*lead, d.shape[-1])) for d in _coefficients(p, v))
    delta = _back(p, coefficients, delta)
    _collect(p, v, coefficients, delta, found)
    by_inputs = $by_inputs
    by_initial = _join(lead[1:], $by_initial)
    return (
        {name: found.get(name, $xp.zeros_like(array)) for name, array in p.items()},
        _unrepeated(by_inputs, 1, inputs.shape),
        _unrepeated(by_initial, 0, states.shape[-1:] if initial is None else initial.shape),
    )
'''
