"""Back-propagation through time as equations: printed, typeset, written as code, and run by the kernels."""
