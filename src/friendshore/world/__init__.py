"""What is: the base year as a few small tables, every figure with its source, and how they are built and checked."""
