"""Proofs: structured derivatives against SymPy's own of the written-out equations, exactly."""
