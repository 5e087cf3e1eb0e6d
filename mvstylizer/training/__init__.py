"""Training the stylizer: photos, the loop, distillation of the compact encoder, checkpoints."""
