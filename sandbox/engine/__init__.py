"""Engines apply a plan. They know nothing of findings, and the rest knows nothing of them but `Engine`."""
