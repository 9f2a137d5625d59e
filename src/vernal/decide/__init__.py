"""Decisions, pure.

The spec, the evidence and the time go in; a decision and its reason come out. Nothing here touches the world.
"""
