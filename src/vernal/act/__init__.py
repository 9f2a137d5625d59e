"""Effects through ports: one tick of the controller, the phases of a run, serving, and what people do by hand."""
