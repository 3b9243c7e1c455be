"""Documents: a folder of files becomes an index, which is kept up to date and searched."""
