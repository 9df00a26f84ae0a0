"""The statements, one file a family; ``theorems.catalogue`` lists them."""
