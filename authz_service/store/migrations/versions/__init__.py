"""The migrations, in the order that `down_revision` tells."""
