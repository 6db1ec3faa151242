"""What is measured: one module for each kind of measurement, each printing its own table."""
