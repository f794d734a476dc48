"""What evaluation traces are made of: formulas, the notations that write them, steps, and tables of steps."""
