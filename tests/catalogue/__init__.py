"""Instances of every primitive, over which the laws are tested; one file a theme."""
