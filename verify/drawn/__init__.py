"""What theorems say about random weights and random points, counted on drawn ones."""
