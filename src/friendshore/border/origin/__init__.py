"""Origin on a bill of materials: the bill, the verdict, the cheapest change that would qualify it."""
