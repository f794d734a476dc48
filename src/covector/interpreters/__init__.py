"""The interpreters: one file each, the same parts in the same order (interpreter, tracer, helpers, entry)."""
