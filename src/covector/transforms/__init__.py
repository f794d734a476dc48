"""The transformations users call. Only this layer knows trees, argnums and what a user may hand in."""
