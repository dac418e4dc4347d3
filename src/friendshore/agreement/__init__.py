"""What is agreed: the parties, their clauses and dates, read strictly from one file that can be read aloud."""
