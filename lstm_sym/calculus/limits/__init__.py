"""What is left of Jacobians where gates are saturated, and at the zero state."""
