"""Every table and figure of the paper, measured again, with what the paper says beside it."""
