"""The stylizer as a torch network: a module per box of the paper's Figure 4, plus the objective (Eq. 5)."""
