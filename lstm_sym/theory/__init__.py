"""Theory in closed form or by quadrature: what the numbers of a random network tend to."""
