"""jit's engine: simplify a recorded graph, write it as NumPy source, compile that."""
