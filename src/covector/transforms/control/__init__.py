"""Structured control flow: branches and loops as single operations, with derivatives of their own."""
