"""Whether edges learn faster together than alone: the paper's Figure 7."""
