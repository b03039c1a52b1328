"""The log between the parts: one protocol, one module an engine."""
