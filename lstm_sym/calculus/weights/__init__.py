"""Derivatives by parameters: immediate, over one step, and through all of time."""
