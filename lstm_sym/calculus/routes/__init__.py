"""Jacobians as labelled sums over the paths of a cell's graph."""
