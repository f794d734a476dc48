"""What a transformation is: types, interpreters, tracers, primitives and their families."""
