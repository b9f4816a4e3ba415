"""Scripts that reproduce figures."""
