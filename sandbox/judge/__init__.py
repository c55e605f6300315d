"""From events and units to findings and a verdict. Works the same on a live run and on a stored one."""
