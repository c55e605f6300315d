"""One run: gather facts, resolve, plan, start the engine, keep the record, judge, report."""
