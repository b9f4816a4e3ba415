"""Second derivatives of a step, as closed sums over the gates."""
