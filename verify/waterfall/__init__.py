"""Where a claim loses what it loses: measured value and bound at every link of its proof."""
