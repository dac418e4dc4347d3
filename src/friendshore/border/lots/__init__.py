"""Lots as a graph: what came in, what became of it, what it holds of where, and which law each lot fails."""
