"""What is promised already: where the clauses of an agreement meet it, and what would repair that."""
