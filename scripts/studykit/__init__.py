"""What the chapters' code shares: figures, meters, small models. A chapter still shows its idea from scratch."""
