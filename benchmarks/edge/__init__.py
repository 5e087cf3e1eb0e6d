"""What an edge does under load, in overload, while its release is swapped, when it is attacked, and in bytes."""
