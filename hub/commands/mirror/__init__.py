"""The commands of `hub sync`, one file each, named after them."""
