"""The proofs of the statements, step by step, one file a family."""
