"""How safe a supply is: the European Union's supply risk and benchmarks, recycling, days of cover."""
