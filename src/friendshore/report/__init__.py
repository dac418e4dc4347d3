"""What people see: the account of a study in words and figures, a cleared network, the tables in a folder."""
