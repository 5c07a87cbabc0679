"""Where points are: a grid of voxels, and which of its points are analysed."""
