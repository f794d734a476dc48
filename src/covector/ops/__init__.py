"""The operations, by theme; mutually transposed ones share a file."""
