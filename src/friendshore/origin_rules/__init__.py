"""Rules of origin as data: one YAML file each, read strictly; a new rule is a new file, no code."""
