"""How good marks are: figures, their intervals, and what evidence is worth."""
