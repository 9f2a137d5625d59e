"""The same decisions over recorded history, on a simulated clock. Nothing here decides anything."""
