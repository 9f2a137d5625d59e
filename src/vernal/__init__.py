"""Vernal keeps deployed machine-learning models fresh."""
