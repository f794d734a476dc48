"""Programs that are only type-checked."""
