"""Every key that there is, as data: a file for each table of the configuration, or for tables that belong together."""
