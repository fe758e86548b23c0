"""Train: TRL's trainer with MOTIF's rewards, recipes, and the folder that a run leaves behind."""
