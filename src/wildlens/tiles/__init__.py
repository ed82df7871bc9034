"""The training set: tiles cut from scenes, labelled, split in space, stored."""
