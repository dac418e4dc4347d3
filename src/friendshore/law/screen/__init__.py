"""The screen itself: obligations and commitments as data, measures as facts, findings with a grade and two sides."""
