"""How markets clear: tonnes, prices and rents at which every good of every country is in balance, and who gains."""
