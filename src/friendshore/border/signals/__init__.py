"""Signals: what in entries and in trade figures asks for a second look, each with its reason and its part of a score."""
