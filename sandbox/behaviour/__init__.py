"""Behaviour: what each unit of a run did, in a form that is equal for equal builds (docs/design.md §7)."""
