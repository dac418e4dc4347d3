"""Users' own downloads, in the publishers' own layouts: every row is read or refused by name, and the sums say so."""
